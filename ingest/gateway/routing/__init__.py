"""Which model a request goes to: the tenant's table, what the request allows, and what a switch would cost."""
