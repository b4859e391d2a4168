"""PostgreSQL: the only importer of asyncpg."""
