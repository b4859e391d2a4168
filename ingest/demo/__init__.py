"""Runs the service with a PostgreSQL of its own and sample traffic, for a first look."""
