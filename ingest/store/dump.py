"""Reads every row that a login can see, as text, for a search of what should not be there."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg

from ingest.store import connections
from ingest.store.connections import Connection

_QUEUED_MAX = 64  # Pieces of a table between the server and the reader.
# Tables of every schema, the system's too: its statistics keep samples of values. Sessions and settings are views.
_TABLES = """
SELECT format('%I.%I', namespace.nspname, class.relname) AS name
FROM pg_class class JOIN pg_namespace namespace ON namespace.oid = class.relnamespace
WHERE class.relkind IN ('r', 'm', 'S') AND class.relpersistence <> 't'
    OR class.oid IN ('pg_stat_activity'::regclass, 'pg_prepared_statements'::regclass, 'pg_settings'::regclass,
        'pg_replication_slots'::regclass, 'pg_prepared_xacts'::regclass, 'pg_stat_replication'::regclass,
        'pg_stat_subscription'::regclass, to_regclass('pg_stat_statements'), to_regclass('pg_stats'))
ORDER BY class.oid
"""


async def dump(dsn: str) -> AsyncIterator[tuple[str, bytes | None]]:
    """Yield every table's rows in pieces, and None for a table that may not be read; raises CannotStart."""
    connection = await connections.connect_as_operator(dsn)
    try:
        for row in await connection.fetch(_TABLES):
            async for piece in _copy(connection, row["name"]):
                yield row["name"], piece
    finally:
        await connections.close(connection)


# Each piece overlaps the next, so that no match is cut in two.
_LARGE_OBJECTS = """
SELECT format('large object %s', loid) AS name, lo_get(loid, number * $1::bigint, ($1 + $2)::integer) AS piece
FROM (SELECT loid, max(pageno) AS last FROM pg_largeobject GROUP BY loid) AS known,
    generate_series(0, last::bigint * 2048 / $1) AS number
"""
_PIECE_BYTES = 1_048_576


async def large_objects(dsn: str, overlap: int) -> AsyncIterator[tuple[str, bytes | None]]:
    """Yield the content of every large object, and None if it may not be read; raises CannotStart.

    The catalog keeps them in rows of 2,048 bytes, which can cut a word in two.
    """
    connection = await connections.connect_as_operator(dsn)
    try:
        async with connection.transaction(readonly=True):
            async for row in connection.cursor(_LARGE_OBJECTS, _PIECE_BYTES, overlap):
                yield row["name"], row["piece"]
    except asyncpg.InsufficientPrivilegeError:
        yield "pg_largeobject", None
    finally:
        await connections.close(connection)


async def _copy(connection: Connection, table: str) -> AsyncIterator[bytes | None]:
    pieces: asyncio.Queue[bytes | None] = asyncio.Queue(_QUEUED_MAX)

    async def copy() -> bool:
        try:
            # The query above quotes the name.
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
