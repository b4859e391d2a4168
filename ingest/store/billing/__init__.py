"""Plans, the tenants on them, the documents that were issued, and how these are paid."""
