"""The benchmark: the service, PostgreSQL's limits and other stacks, measured in turns in one run on one server."""
