"""Daily partitions of `events`: made ahead, dropped whole at retention, by one leader at a time."""

from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from ingest.store.pool import Connection

AHEAD_DAYS = 7
LEDGER_ROWS_PER_DELETE = 10_000
_LOCK = 0x6B656570  # "keep": the advisory lock of the maintainer.
_LOCK_TIMEOUT = "SET lock_timeout = '2s'"  # DDL that waits longer would hold up every writer behind it.


class Kept(NamedTuple):
    created: int
    dropped: int
    ahead_days: int
    was_leader: bool


_NAMES = """
SELECT child.relname AS name FROM pg_inherits
JOIN pg_class child ON child.oid = inhrelid
WHERE inhparent = 'nocontent.events'::regclass
"""
_TRY_LOCK = "SELECT pg_try_advisory_lock($1)"
_UNLOCK = "SELECT pg_advisory_unlock($1)"


async def keep(connection: Connection, retention_days: int, today: date | None = None) -> Kept:
    """Create what is missing from retention back to AHEAD_DAYS ahead, and drop what is past retention."""
    now = today or datetime.now(UTC).date()
    if not await connection.fetchval(_TRY_LOCK, _LOCK):
        return Kept(0, 0, await ahead_days(connection, now), was_leader=False)
    try:
        await connection.execute(_LOCK_TIMEOUT)
        # One day more than the window is wide, because events may be a day old the moment midnight passes.
        wanted = [now + timedelta(days) for days in range(-retention_days - 1, AHEAD_DAYS + 1)]
        present = await _present(connection)
        missing = [day for day in wanted if day not in present]
        for day in missing:
            await _create(connection, day)
        expired = sorted(day for day in present if day < wanted[0])
        for day in expired:
            await _drop(connection, day)
        await _trim_ledger(connection, now - timedelta(retention_days))
        return Kept(len(missing), len(expired), await ahead_days(connection, now), was_leader=True)
    finally:
        await connection.execute(_UNLOCK, _LOCK)


async def ahead_days(connection: Connection, today: date) -> int:
    """Count the whole days after today that have a partition, without a gap."""
    present = await _present(connection)
    ahead = 0
    while today + timedelta(ahead + 1) in present:
        ahead += 1
    return ahead if today in present else -1


def partition_name(day: date) -> str:
    return f"events_{day:%Y%m%d}"


async def _present(connection: Connection) -> set[date]:
    names = [row["name"] for row in await connection.fetch(_NAMES)]
    return {datetime.strptime(name, "events_%Y%m%d").replace(tzinfo=UTC).date() for name in names}


async def _create(connection: Connection, day: date) -> None:
    """CREATE and ATTACH: unlike PARTITION OF, this never takes a lock that stops writers."""
    name = partition_name(day)
    async with connection.transaction():
        # A table left by a crash between the two is empty: nothing can reach it but through the parent.
        await connection.execute(f"DROP TABLE IF EXISTS nocontent.{name}")
        await connection.execute(f"CREATE TABLE nocontent.{name} (LIKE nocontent.events INCLUDING DEFAULTS)")
        await connection.execute(
            f"ALTER TABLE nocontent.events ATTACH PARTITION nocontent.{name}"
            f" FOR VALUES FROM ('{day}T00:00:00Z') TO ('{day + timedelta(1)}T00:00:00Z')"
        )


async def _drop(connection: Connection, day: date) -> None:
    name = partition_name(day)
    async with connection.transaction():
        await connection.execute(f"ALTER TABLE nocontent.events DETACH PARTITION nocontent.{name}")
        await connection.execute(f"DROP TABLE nocontent.{name}")


_TRIM = """
DELETE FROM nocontent.batches WHERE (tenant_id, stream_id, sequence) IN (
    SELECT tenant_id, stream_id, sequence FROM nocontent.batches WHERE received_at < $1 LIMIT $2
)
"""


async def _trim_ledger(connection: Connection, before: date) -> None:
    """Forget batches whose events are gone: a replay of one would be too old to be accepted."""
    cut = datetime(before.year, before.month, before.day, tzinfo=UTC)
    while await connection.execute(_TRIM, cut, LEDGER_ROWS_PER_DELETE) == f"DELETE {LEDGER_ROWS_PER_DELETE}":
        pass
