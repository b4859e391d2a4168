"""Finds the tenants whose weekly review may be due; a tenant without traffic or refusals in the week has none."""

from datetime import date, datetime
from typing import NamedTuple

from ingest.store.connections import Connection
from ingest.store.usage.columns import Grain


class Reader(NamedTuple):
    """A tenant that somebody may read a review of, and the time zone of its months."""

    tenant_id: int
    time_zone: str


_NOW = "SELECT clock_timestamp()"
# A review that was put lately, whoever got it, is the one of this week.
_READERS = """
SELECT own.tenant_id, coalesce((
    SELECT time_zone FROM nocontent.subscriptions known
    WHERE known.tenant_id = own.tenant_id AND month <= $1::timestamptz::date ORDER BY month DESC LIMIT 1
), 'UTC') AS time_zone
FROM nocontent.tenants own
WHERE own.tenant_id > $2 AND NOT own.disabled AND NOT EXISTS (
    SELECT FROM nocontent.outbox known
    WHERE known.tenant_id = own.tenant_id AND kind = 'weekly-review'
        AND created_at > $1::timestamptz - interval '2 days'
)
ORDER BY own.tenant_id LIMIT $3
"""
_IS_ACTIVE = """
SELECT EXISTS (SELECT FROM nocontent.usage WHERE tenant_id = $1 AND grain = $2 AND at >= $3 AND at < $4)
    OR EXISTS (SELECT FROM nocontent.refusals WHERE tenant_id = $1 AND day >= $5 AND day < $5 + 7)
"""


async def now(connection: Connection) -> datetime:
    """Return PostgreSQL's time, by which reviews are due."""
    at: datetime = await connection.fetchval(_NOW)
    return at


async def readers(connection: Connection, at: datetime, after: int, count_max: int) -> list[Reader]:
    """Return tenants by number after one, without those whose review of this week is put already."""
    return [Reader(*row.values()) for row in await connection.fetch(_READERS, at, after, count_max)]


async def is_active(connection: Connection, tenant_id: int, first: date, start: datetime, end: datetime) -> bool:
    """Return whether a week has anything to say."""
    return bool(await connection.fetchval(_IS_ACTIVE, tenant_id, Grain.QUARTER, start, end, first))
