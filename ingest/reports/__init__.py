"""Serves a tenant its usage and invoices over HTTP, in the process that accepts its events."""
