"""Counts what an erasure would delete, and what it has not deleted yet, as a role that cannot delete by itself."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from ingest.store.connections import Connection
from ingest.store.prefixes import ALL, OWN, Prefix
from ingest.store.rights import erasing
from ingest.store.rights.erasures import Subject

TIMEOUT_S = 3_600.0

_COUNT_EVENTS = """
SELECT count(*) FROM {prefix}events
WHERE tenant_id = $1 AND occurred_at >= coalesce($2::timestamptz, '-infinity')
    AND occurred_at <= coalesce($3::timestamptz, 'infinity')
    AND ($4::smallint IS NULL OR $4 IN (tag_1, tag_2, tag_3, tag_4))
"""
# OFFSET 0 keeps the conditions inside, where a look-up by the key of a view of `OWN` is possible, too.
_NAMED = """
FROM unnest($2::uuid[]) AS named (event_id)
CROSS JOIN LATERAL (
    SELECT occurred_at FROM {prefix}events AS event
    WHERE event.tenant_id = $1 AND event.occurred_at = nocontent.time_of_event(named.event_id)
        AND event.event_id = named.event_id OFFSET 0
) AS found
"""
_COUNT_IDS = f"SELECT count(*) {_NAMED} WHERE found.occurred_at BETWEEN $3 AND $4"
_FOUND = f"SELECT named.event_id {_NAMED} ORDER BY named.event_id"
_COUNT_LINES = """
SELECT count(*) FROM {prefix}batches
WHERE tenant_id = $1 AND ($2::uuid IS NULL OR stream_id = $2 AND sequence BETWEEN 0 AND $3)
"""
_COUNT_FROZEN = """
SELECT count(*) FROM nocontent.usage
WHERE tenant_id = $1 AND at >= $2
    AND at < {prefix}frozen_before($1)::timestamp AT TIME ZONE 'UTC'
    AND at + (ARRAY['15 minutes', '1 hour', '1 day', '1 hour', '1 day'])[grain]::interval
        <= $3::timestamptz + interval '1 microsecond'
"""
_COUNT_TABLE = "SELECT count(*) FROM nocontent.{table} WHERE tenant_id = $1"
_COUNT_OWN = "SELECT nocontent.own_count($1, $2)"
_LAST_SEQUENCE = "SELECT max(sequence) FROM {prefix}batches WHERE tenant_id = $1 AND stream_id = $2 AND sequence >= 0"


async def count_events(
    connection: Connection, wanted: Subject, event_ids: Sequence[UUID] = (), prefix: Prefix = ALL
) -> int:
    """Count the rows of `events` that a subject has."""
    if wanted.scope == "stream":
        return 0
    if wanted.scope == "events":
        own = (wanted.tenant_id, list(event_ids), wanted.first, wanted.last)
        return int(await connection.fetchval(_COUNT_IDS.format(prefix=prefix), *own, timeout=TIMEOUT_S))
    own_range = (wanted.tenant_id, wanted.first, wanted.last, wanted.term_id)
    return int(await connection.fetchval(_COUNT_EVENTS.format(prefix=prefix), *own_range, timeout=TIMEOUT_S))


async def count(
    connection: Connection, wanted: Subject, event_ids: Sequence[UUID] = (), prefix: Prefix = ALL
) -> dict[str, int]:
    """Count by table what would go: rows of events, and whatever else the scope has."""
    if wanted.scope == "stream":
        own = (wanted.tenant_id, wanted.stream_id, wanted.sequence)
        lines = _COUNT_LINES.format(prefix=prefix)
        return {"batches": int(await connection.fetchval(lines, *own, timeout=TIMEOUT_S))}
    found = {"events": await count_events(connection, wanted, event_ids, prefix)}
    if wanted.scope == "range":
        own_range = (wanted.tenant_id, wanted.first, wanted.last)
        return found | {"usage": int(await connection.fetchval(_COUNT_FROZEN.format(prefix=prefix), *own_range))}
    if wanted.scope == "tenant":
        for table, act in (await erasing.tables(connection)).items():
            if act == "delete" and table != "events":
                found[table] = await count_table(connection, wanted.tenant_id, table, prefix)
    return found


async def stored_events(
    connection: Connection, tenant_id: int, event_ids: Sequence[UUID], prefix: Prefix = ALL
) -> list[UUID]:
    """Return those of some ids that a tenant has an event with."""
    rows = await connection.fetch(_FOUND.format(prefix=prefix), tenant_id, list(event_ids), timeout=TIMEOUT_S)
    return [UUID(int=row["event_id"].int) for row in rows]


async def count_table(connection: Connection, tenant_id: int, table: str, prefix: Prefix = ALL) -> int:
    """Count the rows of a tenant in a table of the list."""
    if prefix == OWN:  # By a function, since some tables show the console nothing.
        return int(await connection.fetchval(_COUNT_OWN, tenant_id, table, timeout=TIMEOUT_S))
    asked = _COUNT_TABLE.format(table=table)  # Of the owner's own list.
    return int(await connection.fetchval(asked, tenant_id, timeout=TIMEOUT_S))


async def last_sequence(connection: Connection, tenant_id: int, stream_id: UUID, prefix: Prefix = ALL) -> int | None:
    """Return the greatest sequence that a stream has sent, or None if there is no such stream."""
    found = await connection.fetchval(_LAST_SEQUENCE.format(prefix=prefix), tenant_id, stream_id)
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
