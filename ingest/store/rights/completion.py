"""Puts letters that say that a copy of everything of a tenant is complete: all that an exporter may write."""

from uuid import UUID

from ingest.store.connections import Connection

_PUT = "SELECT nocontent.put_export_ready($1, $2, $3)"


async def tell(connection: Connection, tenant_id: int, cause: UUID, rows: int) -> int:
    """Put a letter to each person who may export; return how many are new. The same copy makes them once."""
    return int(await connection.fetchval(_PUT, tenant_id, cause, [rows]))
