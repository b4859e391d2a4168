"""Daily partitions of `events`: one leader at a time creates them ahead, and drops them whole past the horizon.

In the same round it deletes whatever else has outlived its use: `ingest.store.expiry`.
"""

from collections.abc import Awaitable, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

import asyncpg

from ingest import logs
from ingest.store import expiry, retention
from ingest.store.connections import Connection, sqlstate
from ingest.store.retention import Time, Withheld

AHEAD_DAYS = 7
GAP_DAYS_MAX = 100  # From existing days to those due: a clock that is years off must not create thousands.


class Kept(NamedTuple):
    """The result of one round; the next round retries what this one could not do."""

    created: int
    dropped: int
    failed: int  # Days that could not be created.
    postponed: int  # Days past retention that could not be dropped, most often because of a reader, or of a tenant.
    ahead_days: int
    was_leader: bool
    behind_days: int = 0  # Past retention and withheld: see `ingest.store.retention`.
    withheld: Withheld = ""

    @property
    def is_held_back(self) -> bool:
        """Return whether more is withheld than the day that expired last, whose turn comes within a day."""
        return self.behind_days > 1 or self.withheld not in {"", "too-soon"}


# All that a maintainer may do: guarded functions of the owner (schema/sql/0012_maintain_by_functions.sql).
_BEGIN = "SELECT nocontent.begin_round()"
_FINISH = "SELECT nocontent.finish_round()"
_MAKE = "SELECT nocontent.make_day($1)"
_DROP = "SELECT nocontent.drop_day($1)"


async def keep(connection: Connection, first_days: int | None, at: Time | None = None) -> Kept:
    """Create missing days, from the retention back to AHEAD_DAYS ahead, then drop those past the horizon.

    PostgreSQL's clock decides. `first_days` is the retention of a database that has none yet.
    """
    at = at or await retention.read_time(connection)
    today = at.now.astimezone(UTC).date()
    if not await connection.fetchval(_BEGIN):
        return Kept(0, 0, 0, 0, await ahead_days(connection, today), was_leader=False)
    try:
        tables = await _tables(connection)
        horizon = await retention.advance(connection, first_days, at)
        created, failed = await _create_missing(connection, _required(tables, horizon.oldest_kept, today), tables)
        if horizon.withheld == "clock-adrift":
            dropped, postponed = 0, 0
        else:
            dropped, postponed = await _drop_expired(connection, horizon.day, tables)
            postponed += await expiry.trim(connection)
        ahead = await ahead_days(connection, today)
        behind, withheld = horizon.behind_days, horizon.withheld
        return Kept(created, dropped, failed, postponed, ahead, was_leader=True, behind_days=behind, withheld=withheld)
    finally:
        await connection.execute(_FINISH)


def _days(names: Iterable[str]) -> Iterator[date]:
    """Yield the days of tables; somebody may have named one that is not a day."""
    for name in names:
        with suppress(ValueError):
            yield datetime.strptime(name, "events_%Y%m%d").replace(tzinfo=UTC).date()


def _required(tables: dict[str, str], first: date, today: date) -> list[date]:
    """Return the days that must exist, and those up to the nearest that does: a clock that was off leaves no gap."""
    last = today + timedelta(AHEAD_DAYS)
    known = sorted(_days(tables))
    if known and 0 < (first - known[-1]).days <= GAP_DAYS_MAX:
        first = known[-1] + timedelta(1)
    if known and 0 < (known[0] - last).days <= GAP_DAYS_MAX:
        last = known[0] - timedelta(1)
    return [first + timedelta(days) for days in range((last - first).days + 1)]


_SINCE = "SELECT extract(epoch FROM clock_timestamp() - finished_at)::float8 FROM nocontent.maintenance"


async def seconds_since_round(connection: Connection) -> float:
    """Return how long ago the last round of maintenance ended, whoever led it."""
    return max(0.0, float(await connection.fetchval(_SINCE)))


_SERVING = """
SELECT relname AS name FROM pg_inherits JOIN pg_class ON oid = inhrelid
WHERE inhparent = 'nocontent.events'::regclass AND NOT inhdetachpending
"""


async def ahead_days(connection: Connection, today: date) -> int:
    """Count the whole days after today that have a partition, without a gap; -1 if today has none."""
    serving = {row["name"] for row in await connection.fetch(_SERVING)}
    ahead = 0
    while partition_name(today + timedelta(ahead + 1)) in serving:
        ahead += 1
    return ahead if partition_name(today) in serving else -1


def partition_name(day: date) -> str:
    """Return the name of a day's table; names sort in the order of their days."""
    return f"events_{day:%Y%m%d}"


# Somebody may have detached a day by hand, wholly or halfway ("pending": it takes no more rows). PostgreSQL detaches
# one table at a time, so the pending one comes first, and those in use come last. Another database may use the same
# numbers for its tables: each of two that were made from one template does.
_TABLES = """
SELECT relname AS name,
    CASE WHEN inhrelid IS NULL THEN 'detached' WHEN inhdetachpending THEN 'pending' ELSE 'attached' END AS state
FROM pg_class LEFT JOIN pg_inherits ON inhrelid = oid AND inhparent = 'nocontent.events'::regclass
WHERE relnamespace = 'nocontent'::regnamespace AND relkind IN ('r', 'p') AND relname ~ '^events_[0-9]{8}$'
ORDER BY inhdetachpending IS NOT TRUE, oid IN (
    SELECT relation FROM pg_locks JOIN pg_database AS own ON own.oid = database WHERE own.datname = current_database()
), relname
"""


async def _tables(connection: Connection) -> dict[str, str]:
    """Return the state of every table that is or was a day of `events`, in the order in which to drop them."""
    return {row["name"]: row["state"] for row in await connection.fetch(_TABLES)}


async def _create_missing(connection: Connection, wanted: list[date], tables: dict[str, str]) -> tuple[int, int]:
    missing = [day for day in wanted if tables.get(partition_name(day)) != "attached"]
    created = 0
    for day in missing:
        name = partition_name(day)
        created += await _failure(connection, name, connection.execute(_MAKE, day)) is None
    return created, len(missing) - created


async def _drop_expired(connection: Connection, first: date, tables: dict[str, str]) -> tuple[int, int]:
    expired = [name for name in tables if name < partition_name(first)]
    dropped = 0
    for name in expired:
        failure = await _failure(connection, name, connection.execute(_DROP, name))
        dropped += failure is None
        if failure == _LOCK_NOT_AVAILABLE:
            break  # Writers have waited for this one, and would wait for each after it.
    return dropped, len(expired) - dropped


_LOCK_NOT_AVAILABLE = "55P03"


async def _failure(connection: Connection, name: str, work: Awaitable[str]) -> str | None:
    """Do the work for one day; return the SQLSTATE if it fails, so that the other days are still done."""
    try:
        await work
    except (asyncpg.PostgresError, TimeoutError) as failure:
        if connection.is_closed():
            raise
        logs.warning("maintenance-failed", partition=name, error=type(failure).__name__, sqlstate=sqlstate(failure))
        return sqlstate(failure)
    return None
