"""Counts what an erasure would delete, and what it has not deleted yet, as a role that cannot delete by itself."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from ingest.store.connections import Connection
from ingest.store.rights import erasing
from ingest.store.rights.erasures import Subject

TIMEOUT_S = 3_600.0

_COUNT_EVENTS = """
SELECT count(*) FROM nocontent.events
WHERE tenant_id = $1 AND occurred_at >= coalesce($2::timestamptz, '-infinity')
    AND occurred_at <= coalesce($3::timestamptz, 'infinity')
    AND ($4::smallint IS NULL OR $4 IN (tag_1, tag_2, tag_3, tag_4))
"""
_COUNT_IDS = """
SELECT count(*) FROM nocontent.events
JOIN unnest($2::uuid[]) AS named (event_id) USING (event_id)
WHERE tenant_id = $1 AND occurred_at = nocontent.time_of_event(named.event_id)
    AND occurred_at BETWEEN $3 AND $4
"""
_FOUND = """
SELECT event_id FROM nocontent.events
JOIN unnest($2::uuid[]) AS named (event_id) USING (event_id)
WHERE tenant_id = $1 AND occurred_at = nocontent.time_of_event(named.event_id)
ORDER BY event_id
"""
_COUNT_LINES = """
SELECT count(*) FROM nocontent.batches
WHERE tenant_id = $1 AND ($2::uuid IS NULL OR stream_id = $2 AND sequence BETWEEN 0 AND $3)
"""
_COUNT_FROZEN = """
SELECT count(*) FROM nocontent.usage
WHERE tenant_id = $1 AND at >= $2
    AND at < nocontent.frozen_before($1)::timestamp AT TIME ZONE 'UTC'
    AND at + (ARRAY['15 minutes', '1 hour', '1 day', '1 hour', '1 day'])[grain]::interval
        <= $3::timestamptz + interval '1 microsecond'
"""
_LAST_SEQUENCE = "SELECT max(sequence) FROM nocontent.batches WHERE tenant_id = $1 AND stream_id = $2 AND sequence >= 0"


async def count_events(connection: Connection, wanted: Subject, event_ids: Sequence[UUID] = ()) -> int:
    """Count the rows of `events` that a subject has."""
    if wanted.scope == "stream":
        return 0
    if wanted.scope == "events":
        own = (wanted.tenant_id, list(event_ids), wanted.first, wanted.last)
        return int(await connection.fetchval(_COUNT_IDS, *own, timeout=TIMEOUT_S))
    own_range = (wanted.tenant_id, wanted.first, wanted.last, wanted.term_id)
    return int(await connection.fetchval(_COUNT_EVENTS, *own_range, timeout=TIMEOUT_S))


async def count(connection: Connection, wanted: Subject, event_ids: Sequence[UUID] = ()) -> dict[str, int]:
    """Count by table what would go: rows of events, and whatever else the scope has."""
    found = {"events": await count_events(connection, wanted, event_ids)}
    if wanted.scope == "stream":
        own = (wanted.tenant_id, wanted.stream_id, wanted.sequence)
        return {"batches": int(await connection.fetchval(_COUNT_LINES, *own, timeout=TIMEOUT_S))}
    if wanted.scope == "range":
        frozen = await connection.fetchval(_COUNT_FROZEN, wanted.tenant_id, wanted.first, wanted.last)
        return found | {"usage": int(frozen)}
    if wanted.scope == "tenant":
        for table, act in (await erasing.tables(connection)).items():
            if act == "delete" and table != "events":
                found[table] = await count_table(connection, wanted.tenant_id, table)
    return found


async def stored_events(connection: Connection, tenant_id: int, event_ids: Sequence[UUID]) -> list[UUID]:
    """Return those of some ids that a tenant has an event with."""
    rows = await connection.fetch(_FOUND, tenant_id, list(event_ids), timeout=TIMEOUT_S)
    return [UUID(int=row["event_id"].int) for row in rows]


async def count_table(connection: Connection, tenant_id: int, table: str) -> int:
    """Count the rows of a tenant in a table of the list."""
    asked = f"SELECT count(*) FROM nocontent.{table} WHERE tenant_id = $1"  # noqa: S608 (of the owner's own list)
    return int(await connection.fetchval(asked, tenant_id, timeout=TIMEOUT_S))


async def last_sequence(connection: Connection, tenant_id: int, stream_id: UUID) -> int | None:
    """Return the greatest sequence that a stream has sent, or None if there is no such stream."""
    found = await connection.fetchval(_LAST_SEQUENCE, tenant_id, stream_id)
    return None if found is None else int(found)


_TIMES = "SELECT min(at), max(at) FROM (SELECT nocontent.time_of_event(unnest($1::uuid[])) AS at) AS named"


async def times(connection: Connection, event_ids: Sequence[UUID]) -> tuple[datetime, datetime]:
    """Return the times of the first and last of some events."""
    row = await connection.fetchrow(_TIMES, list(event_ids))
    assert row is not None
    return row[0], row[1]


_HANDING_OVER = "SELECT count(*) FROM nocontent.handovers WHERE tenant_id = $1 AND processor = 2 AND step < 3"


async def handing_over(connection: Connection, tenant_id: int) -> int:
    """Count the invoices of a tenant that are on their way to the payment processor."""
    return int(await connection.fetchval(_HANDING_OVER, tenant_id))
