"""Holds what a process knows of tenants, tokens and time; pure, so that any process may import it."""
