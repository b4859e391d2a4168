"""Keeps `usage` equal to the sums of the rows: adds the rows of new marks, or sums whole hours again.

A chunk is one REPEATABLE READ transaction: it deletes marks and adds just the rows that their transactions inserted, so
each row is added once. If it finds other rows than were marked (after a restore, or if somebody deleted some), it makes
the sums of those hours again. Hours of a day that was dropped, or deleted for their tenant, are frozen. Decision 0023.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from itertools import groupby
from typing import NamedTuple

import asyncpg

from ingest.store.connections import Connection
from ingest.store.usage import cells, days, grains, sums
from ingest.store.usage.cells import EPOCH, Span
from ingest.store.usage.columns import Grain
from ingest.store.usage.days import Days, Hour, floor
from ingest.store.usage.marks import SLICE_S

EVENTS_PER_CHUNK = 500_000
_MARKS_PER_CHUNK = 20_000
_RECOUNTS_PER_CHUNK = 100
_HOURS_PER_CHUNK = 100
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


class Rolled(NamedTuple):
    """The result of one chunk, and what is left for the next."""

    events: int  # Added to the sums as marked.
    marks: int
    recomputed_hours: int
    lost_events: int  # Marked, but of days that were dropped before they were summed.
    pending_marks: int
    pending_events: int
    pending_recounts: int
    oldest_pending_s: float  # 0 if nothing is pending.

    @property
    def is_done(self) -> bool:
        return not self.pending_marks


class Conflict(Exception):
    """Another transaction wrote the same sums; nothing was changed, and a retry will do."""


async def roll_up(connection: Connection) -> Rolled:
    """Add one chunk of marked rows to the sums, and sum hours again for which that was asked; raises Conflict."""
    async with _transaction(connection) as known:
        marked = await (_take_hours if known.is_citus else _add_marked)(connection, known)
        recounts = await _recounts(connection, known)
        recomputed = await _recompute(connection, marked.again | recounts)
    (pending,) = await connection.fetch(_PENDING)
    return Rolled(marked.events - marked.lost, marked.marks, recomputed, marked.lost, *pending.values())


async def recompute(connection: Connection, tenant_id: int, first: datetime, last: datetime) -> int:
    """Sum the hours from `first` to `last` again, but for frozen ones; return their number. Raises Conflict."""
    async with _transaction(connection) as known:
        return await _recompute(connection, _hours(tenant_id, first, last, known))


class _Marked(NamedTuple):
    """Marks that were taken, their events, those of dropped days, and the hours to sum again."""

    marks: int
    events: int
    lost: int
    again: set[Hour]


@asynccontextmanager
async def _transaction(connection: Connection) -> AsyncIterator[Days]:
    """Begin a transaction, and yield the days that have rows.

    The locks come before the snapshot: until COMMIT no day is dropped, and no price changes that the snapshot lacks.
    """
    try:
        async with connection.transaction(isolation="repeatable_read"):
            await connection.execute("LOCK TABLE nocontent.events, nocontent.prices IN ACCESS SHARE MODE")
            await connection.execute(cells.SETTINGS)
            yield await days.read(connection)
    except (asyncpg.SerializationError, asyncpg.DeadlockDetectedError, asyncpg.UniqueViolationError):
        raise Conflict from None


# The first mark is always taken, however many events it has.
_TAKE = """
DELETE FROM nocontent.usage_marks
WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM (
        SELECT ctid, sum(events) OVER (ROWS UNBOUNDED PRECEDING) - events AS before
        FROM (SELECT ctid, events FROM nocontent.usage_marks WHERE events > 0 LIMIT $1) AS mark
    ) AS mark
    WHERE before < $2
))
RETURNING tenant_id, first, last, events, xid::xid AS xid
"""
_PENDING = """
SELECT count(*) AS marks, coalesce(sum(events), 0)::bigint AS events, count(*) FILTER (WHERE events = 0) AS recounts,
    coalesce(greatest(extract(epoch FROM clock_timestamp() - min(marked_at)), 0), 0)::float8 AS oldest_s
FROM nocontent.usage_marks
"""


async def _add_marked(connection: Connection, known: Days) -> _Marked:
    """Add the rows of marks, but not to hours whose rows are not those marked."""
    taken = await connection.fetch(_TAKE, _MARKS_PER_CHUNK, EVENTS_PER_CHUNK)
    kept = [mark for mark in taken if floor(mark["first"], _DAY) in known.served]
    events = sum(mark["events"] for mark in taken)
    lost = events - sum(mark["events"] for mark in kept)
    if not kept:
        return _Marked(len(taken), events, lost, set())
    found = await cells.of_marks(connection, _spans(kept))
    differing = _differing(_count(kept, "first"), _count(found, "at"))
    again = {hour for hour in differing if not known.is_frozen(hour)}
    right = [cell for cell in found if (cell["tenant_id"], floor(cell["at"], _HOUR)) not in again]
    if right:
        await sums.add(connection, grains.of_cells(right, Grain))
    return _Marked(len(taken), events, lost, again)


_MARKED_HOURS = f"""
SELECT tenant_id, date_bin('1 hour', first, {EPOCH}) AS at, sum(events)::bigint AS events, count(*) AS marks
FROM nocontent.usage_marks WHERE events > 0 GROUP BY 1, 2 LIMIT $1
"""  # noqa: S608 (a constant)
_FORGET = "DELETE FROM nocontent.usage_marks WHERE tenant_id = $1 AND first >= $2 AND first < $3 AND events > 0"


async def _take_hours(connection: Connection, known: Days) -> _Marked:
    """Return all marked hours, to sum them again: on Citus the ids of transactions differ between nodes."""
    marked = await connection.fetch(_MARKED_HOURS, _HOURS_PER_CHUNK)
    lost = [row for row in marked if not known.is_open((row["tenant_id"], row["at"]))]
    for row in lost:
        await connection.execute(_FORGET, row["tenant_id"], row["at"], row["at"] + _HOUR)
    again = {(row["tenant_id"], row["at"]) for row in marked if row not in lost}
    events = sum(row["events"] for row in marked)
    return _Marked(sum(row["marks"] for row in marked), events, sum(row["events"] for row in lost), again)


def _spans(marks: Iterable[asyncpg.Record]) -> list[Span]:
    """Return a span for each tenant and slice, so that each is scanned once."""
    grouped = defaultdict(list)
    for mark in marks:
        grouped[mark["tenant_id"], floor(mark["first"], timedelta(seconds=SLICE_S))].append(mark)
    return [
        Span(
            tenant_id,
            min(mark["first"] for mark in own),
            max(mark["last"] for mark in own),
            tuple({mark["xid"] for mark in own}),
        )
        for (tenant_id, _), own in sorted(grouped.items())
    ]


def _count(records: Iterable[asyncpg.Record], time: str) -> dict[Hour, int]:
    counts: dict[Hour, int] = defaultdict(int)
    for record in records:
        counts[record["tenant_id"], floor(record[time], _HOUR)] += record["events"]
    return counts


def _differing(expected: dict[Hour, int], found: dict[Hour, int]) -> set[Hour]:
    return {hour for hour in expected.keys() | found.keys() if expected.get(hour) != found.get(hour)}


# asyncpg's infinity has no time zone, so it is replaced.
_FIRST, _LAST = "greatest(first, '2000-01-01T00:00:00Z')", "least(last, '9999-01-01T00:00:00Z')"
_RECOUNTS = f"SELECT DISTINCT tenant_id, {_FIRST}, {_LAST} FROM nocontent.usage_marks WHERE events = 0 LIMIT $1"  # noqa: S608 (constants)
_TAKE_RECOUNT = f"""
DELETE FROM nocontent.usage_marks WHERE tenant_id = $1 AND {_FIRST} = $2 AND {_LAST} = $3 AND events = 0
"""  # noqa: S608 (constants)
_RECOUNT_LATER = "INSERT INTO nocontent.usage_marks (tenant_id, first, last, events) VALUES ($1, $2, $3, 0)"
# The next time with a row or a sum, since a mark may span a year.
_NEXT = """
SELECT least(
    (SELECT min(occurred_at) FROM nocontent.events WHERE tenant_id = $1 AND occurred_at BETWEEN $2 AND $3),
    (SELECT min(at) FROM nocontent.usage WHERE tenant_id = $1 AND grain = 1 AND at BETWEEN $2 AND $3)
)
"""


# Those with a row or a sum.
_HOURS = f"""
SELECT date_bin('1 hour', occurred_at, {EPOCH}) AS at FROM nocontent.events
WHERE tenant_id = $1 AND occurred_at BETWEEN $2 AND $3
UNION
SELECT date_bin('1 hour', at, {EPOCH}) FROM nocontent.usage WHERE tenant_id = $1 AND grain = 1 AND at BETWEEN $2 AND $3
"""  # noqa: S608 (a constant)


async def _recounts(connection: Connection, known: Days) -> set[Hour]:
    """Take marks that ask for hours to be summed again; of each, the first day, and its rest is left for later."""
    hours: set[Hour] = set()
    if not known.open:
        return hours
    for tenant_id, first, last in await connection.fetch(_RECOUNTS, _RECOUNTS_PER_CHUNK):
        await connection.execute(_TAKE_RECOUNT, tenant_id, first, last)
        start = max(floor(first, _HOUR), min(known.open), known.first_open_of(tenant_id))
        end = min(last, max(known.open) + _DAY - timedelta(microseconds=1))
        following = await connection.fetchval(_NEXT, tenant_id, start, end)
        if following is None:
            continue
        until = min(end, floor(following, _DAY) + _DAY - timedelta(microseconds=1))
        summed = await connection.fetch(_HOURS, tenant_id, floor(following, _HOUR), until, timeout=cells.TIMEOUT_S)
        hours |= {(tenant_id, row["at"]) for row in summed if known.is_open((tenant_id, row["at"]))}
        if until < end:
            await connection.execute(_RECOUNT_LATER, tenant_id, until + timedelta(microseconds=1), end)
    return hours


def _hours(tenant_id: int, first: datetime, last: datetime, known: Days) -> set[Hour]:
    """Return the hours of days that have all their rows."""
    start = floor(first, _HOUR)
    count = (last - start) // _HOUR + 1
    hours = ((tenant_id, start + number * _HOUR) for number in range(count))
    return {hour for hour in hours if known.is_open(hour)}


_MINUTES = f"""
SELECT date_bin('1 minute', occurred_at, {EPOCH}) AS at, count(*) AS events FROM nocontent.events
WHERE tenant_id = $1 AND occurred_at >= $2 AND occurred_at < $3 GROUP BY 1 ORDER BY 1
"""  # noqa: S608 (a constant)


async def _recompute(connection: Connection, hours: set[Hour]) -> int:
    """Make the sums of hours from all rows that the snapshot has, and of their days from the hours."""
    for values in _runs(hours):
        tenant_id = values[0]
        await connection.execute(_FORGET, *values)
        await sums.delete_hours(connection, *values)
        minutes = await connection.fetch(_MINUTES, *values, timeout=cells.TIMEOUT_S)
        write = sums.insert
        for first, last in _pieces(minutes):
            summed = await cells.of_spans(connection, [Span(tenant_id, first, last)])
            if summed:  # They may all be annotated.
                await write(connection, grains.of_cells(summed, sums.HOURLY))
                write = sums.add  # The next events may be of the same hour.
    for tenant_id, day in sorted({(tenant_id, floor(hour, _DAY)) for tenant_id, hour in hours}):
        await sums.make_day(connection, tenant_id, day)
    return len(hours)


def _runs(hours: Iterable[Hour]) -> Iterable[tuple[int, datetime, datetime]]:
    """Yield the times of hours of a tenant that follow each other in a day: each time costs some statements."""

    def place(numbered: tuple[int, Hour]) -> tuple[int, datetime, datetime]:
        number, (tenant_id, hour) = numbered
        return tenant_id, floor(hour, _DAY), hour - number * _HOUR

    for (tenant_id, _, _), numbered in groupby(enumerate(sorted(hours)), place):
        own = [hour for _, (_, hour) in numbered]
        yield tenant_id, own[0], own[-1] + _HOUR


def _pieces(minutes: Iterable[asyncpg.Record]) -> Iterable[tuple[datetime, datetime]]:
    """Yield times that have as many events as a chunk, or one minute."""
    first, last, events = None, None, 0
    for minute, count in minutes:
        if first is not None and last is not None and events + count > EVENTS_PER_CHUNK:
            yield first, last
            first, events = None, 0
        first = first or minute
        last = minute + timedelta(minutes=1) - timedelta(microseconds=1)
        events += count
    if first is not None and last is not None:
        yield first, last
