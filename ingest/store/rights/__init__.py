"""SQL of the rights of a tenant: what is exported, erased and corrected."""
