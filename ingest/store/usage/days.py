"""The days of which a roll-up finds all rows, by tenant; the sums of others are never made again."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from ingest.store.connections import Connection

DAY = timedelta(days=1)
_START = datetime(2000, 1, 1, tzinfo=UTC)
Hour = tuple[int, datetime]  # Of a tenant.


class Days(NamedTuple):
    """The days that have rows, and which of them were deleted once: nothing is left of those but their sums.

    Of tenants with fewer days than the deployment more are frozen: all before their own first day.
    """

    served: frozenset[datetime]
    frozen: frozenset[datetime]
    first_open: Mapping[int, datetime]  # By tenant.
    is_citus: bool

    @property
    def open(self) -> frozenset[datetime]:
        return self.served - self.frozen

    def first_open_of(self, tenant_id: int) -> datetime:
        return self.first_open.get(tenant_id, _START)

    def is_frozen(self, hour: Hour) -> bool:
        tenant_id, at = hour
        return floor(at, DAY) in self.frozen or at < self.first_open_of(tenant_id)

    def is_open(self, hour: Hour) -> bool:
        return floor(hour[1], DAY) in self.served and not self.is_frozen(hour)


_SERVING = """
SELECT to_date(right(relname, 8), 'YYYYMMDD')::timestamp AT TIME ZONE 'UTC' AS day,
    to_date(right(relname, 8), 'YYYYMMDD') < coalesce(usage_frozen_before, '-infinity') AS is_frozen
FROM nocontent.retention, pg_inherits JOIN pg_class ON oid = inhrelid
WHERE retention_id = 1 AND inhparent = 'nocontent.events'::regclass AND NOT inhdetachpending
    AND relname ~ '^events_[0-9]{8}$'
"""
_FIRST_OPEN = """
SELECT tenant_id, usage_frozen_before::timestamp AT TIME ZONE 'UTC' AS first_open FROM nocontent.tenants
WHERE usage_frozen_before IS NOT NULL
"""
_IS_CITUS = "SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus')"


async def read(connection: Connection) -> Days:
    """Read the days as of the transaction's snapshot."""
    served = await connection.fetch(_SERVING)
    return Days(
        frozenset(row["day"] for row in served),
        frozenset(row["day"] for row in served if row["is_frozen"]),
        {row["tenant_id"]: row["first_open"] for row in await connection.fetch(_FIRST_OPEN)},
        await connection.fetchval(_IS_CITUS),
    )


def floor(time: datetime, period: timedelta) -> datetime:
    """Return the beginning of the period that a time is in."""
    return time - (time - _START) % period
