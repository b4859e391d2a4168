"""Exports of a tenant's data: formats, parts, manifests."""
