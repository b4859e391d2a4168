"""The service with its own PostgreSQL and sample traffic, for a first look."""
