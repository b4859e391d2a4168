"""Holds the knowledge of a process in memory: tenants, tokens, terms, time. Pure, so that any process may import it."""
