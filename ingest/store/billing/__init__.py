"""Plans, the tenants on them, and the documents that were issued."""
