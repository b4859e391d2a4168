"""What a tenant reads of its usage and its invoices over HTTP, served by the process that accepts its events."""
