"""Webhooks of tenants, and their deliveries."""
