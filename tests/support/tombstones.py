"""Erasures that are recorded, and carried out, without a job: by the functions that the job calls."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import asyncpg

from ingest.store import acts
from ingest.store.connections import Connection
from tests.support.erasing import at

_RECORD = """
INSERT INTO erasures (tenant_id, erasure_id, scope, first, last, stream_id, sequence, term_id, revision, requested_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, greatest(now(), $5))
"""
_NAME = "INSERT INTO erasure_events (tenant_id, erasure_id, event_id) SELECT $1, $2, unnest($3::uuid[])"


async def record(
    connection: Connection, scope: str, *events: dict[str, object], tenant_id: int = 1, **named: object
) -> UUID:
    """Record an erasure of these events, of their range, or of what `named` has, and commit it."""
    erasure_id = uuid4()
    times = sorted(map(at, events))
    first, last = (times[0], times[-1]) if times else (None, None)
    columns = {"first": first, "last": last, "stream_id": None, "sequence": None, "term_id": None} | named
    async with acts.act(connection) as act:
        await connection.execute(_RECORD, tenant_id, erasure_id, scope, *columns.values(), act.revision)
        if scope == "events":
            await connection.execute(_NAME, tenant_id, erasure_id, [event["event_id"] for event in events])
    return erasure_id


async def bar(connection: Connection, tenant_id: int, erasure_id: UUID) -> None:
    """Wait for every writer that began before the erasure was committed, as the job does."""
    await connection.execute("UPDATE erasures SET step = 'ordered' WHERE erasure_id = $1", erasure_id)
    while True:
        try:
            await connection.execute("SELECT bar_writers($1, $2)", tenant_id, erasure_id)
        except asyncpg.LockNotAvailableError:
            continue
        return


async def erase(connection: Connection, tenant_id: int, erasure_id: UUID) -> int:
    """Carry out a recorded erasure of events, and return how many were deleted."""
    await bar(connection, tenant_id, erasure_id)
    days = await connection.fetch(
        "SELECT DISTINCT (occurred_at AT TIME ZONE 'UTC')::date AS day FROM events WHERE tenant_id = $1", tenant_id
    )
    erased = 0
    for day in days:
        erased += await connection.fetchval(
            "SELECT erased FROM erase_events($1, $2, $3, '-infinity', '00000000-0000-0000-0000-000000000000', 5000)",
            tenant_id, erasure_id, day["day"],
        )  # fmt: skip
    return erased


@asynccontextmanager
async def barring(connection: Connection) -> AsyncIterator[None]:
    """Hold the lock of the barrier, so that ledger statements wait."""
    async with connection.transaction():
        await connection.execute("LOCK TABLE batches IN SHARE MODE")
        yield
