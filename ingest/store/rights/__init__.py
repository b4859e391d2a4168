"""The SQL of tenants' rights: erasures, and what carries them out."""
