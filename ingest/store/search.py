"""Reads out every row that a login can see, as text: for whoever looks for what should not be there."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg

from ingest.store import pool
from ingest.store.pool import Connection

_QUEUED_MAX = 64  # Pieces of a table between the server and who reads them.
# Tables of every schema, the system's too: its statistics keep samples of values. What servers show of their sessions
# are views.
_TABLES = """
SELECT format('%I.%I', namespace.nspname, class.relname) AS name
FROM pg_class class JOIN pg_namespace namespace ON namespace.oid = class.relnamespace
WHERE class.relkind IN ('r', 'm', 'S') AND class.relpersistence <> 't'
    OR class.oid IN ('pg_stat_activity'::regclass, 'pg_prepared_statements'::regclass, 'pg_settings'::regclass,
        'pg_replication_slots'::regclass, to_regclass('pg_stat_statements'), to_regclass('pg_stats'))
ORDER BY class.oid
"""


async def dump(dsn: str) -> AsyncIterator[tuple[str, bytes | None]]:
    """Give every table's rows in pieces, and None for a table that may not be read; raises CannotStart."""
    connection = await pool.connect_as_operator(dsn)
    try:
        for row in await connection.fetch(_TABLES):
            async for piece in _copy(connection, row["name"]):
                yield row["name"], piece
    finally:
        await pool.close(connection)


async def _copy(connection: Connection, table: str) -> AsyncIterator[bytes | None]:
    pieces: asyncio.Queue[bytes | None] = asyncio.Queue(_QUEUED_MAX)

    async def copy() -> bool:
        try:
            # The name comes quoted from the catalogue.
            await connection.copy_from_query(f"SELECT * FROM {table}", output=pieces.put)  # noqa: S608 (see above)
        except asyncpg.PostgresError:
            return False
        finally:
            await pieces.put(None)
        return True

    copying = asyncio.create_task(copy())
    try:
        while (piece := await pieces.get()) is not None:
            yield piece
        if not await copying:
            yield None
    finally:
        copying.cancel()
