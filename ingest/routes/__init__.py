"""Routing tables: which model each tenant wants for which category, and what the service tells gateways of it."""
