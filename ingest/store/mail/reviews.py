"""Finds the tenants whose weekly review may be due."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from ingest.store.connections import Connection
from ingest.store.usage.columns import Grain


class Reader(NamedTuple):
    """A tenant that somebody may read a review of, and the time zone of its months."""

    tenant_id: int
    time_zone: str


_READERS = """
SELECT tenant_id, coalesce((
    SELECT time_zone FROM nocontent.subscriptions known
    WHERE known.tenant_id = own.tenant_id AND month <= $1::timestamptz::date ORDER BY month DESC LIMIT 1
), 'UTC') AS time_zone
FROM nocontent.tenants own WHERE tenant_id > $2 AND NOT disabled ORDER BY tenant_id LIMIT $3
"""
_LACKING = """
SELECT tenant_id FROM unnest($1::integer[], $2::uuid[]) AS wanted (tenant_id, cause) WHERE NOT EXISTS (
    SELECT FROM nocontent.outbox known
    WHERE known.tenant_id = wanted.tenant_id AND kind = 'weekly-review' AND known.cause = wanted.cause
)
"""
_IS_ACTIVE = """
SELECT EXISTS (SELECT FROM nocontent.usage WHERE tenant_id = $1 AND grain = $2 AND at >= $3 AND at < $4)
    OR EXISTS (SELECT FROM nocontent.refusals WHERE tenant_id = $1 AND day >= $5 AND day < $5 + 7)
"""


async def readers(connection: Connection, at: datetime, after: int, count_max: int) -> list[Reader]:
    """Return tenants by number after one, with the time zones that they have at a time."""
    return [Reader(*row.values()) for row in await connection.fetch(_READERS, at, after, count_max)]


async def lacking(connection: Connection, causes: Mapping[int, UUID]) -> set[int]:
    """Return the tenants whose review, known by its cause, nobody has yet: whoever joins later gets the next."""
    rows = await connection.fetch(_LACKING, list(causes), list(causes.values()))
    return {row["tenant_id"] for row in rows}


async def is_active(connection: Connection, tenant_id: int, first: date, start: datetime, end: datetime) -> bool:
    """Return whether there were requests or refusals in a week."""
    return bool(await connection.fetchval(_IS_ACTIVE, tenant_id, Grain.QUARTER, start, end, first))
