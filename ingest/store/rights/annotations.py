"""Annotations: reasons why stored events are wrong. An annotated event stays a row, and is in no sum.

The database's functions write an annotation and ask for the sums of its hour in one transaction (migration 0028).
"""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from itertools import groupby
from typing import NamedTuple
from uuid import UUID

import asyncpg

from ingest.errors import CannotStart
from ingest.store.audit import Audit
from ingest.store.connections import Connection
from ingest.store.usage import cells
from ingest.store.usage.cells import Span
from ingest.store.usage.marks import SLICE_S
from schema.event import Kind

IDS_MAX = 10_000  # As many as the database's functions take at once.
EVENTS_MAX = 1_000_000  # Of one act over a range.
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_VERSION = 7  # Of a UUID that begins with its time.
_MS_MAX = 253_402_300_799_999  # The last that Python has a time for.
_SLICE = timedelta(seconds=SLICE_S)


class Reason(IntEnum):
    """What is wrong with an event."""

    TEST_TRAFFIC = 1
    COUNTED_TWICE = 2
    WRONG_COST = 3
    WRONG_TOKENS = 4
    WRONG_MODEL = 5
    WRONG_CATEGORY = 6
    WRONG_TAG = 7
    WRONG_TIME = 8
    OTHER = 9

    @property
    def word(self) -> str:
        """Return the name that `readable_events` shows."""
        return self.name.lower().replace("_", "-")


class Found(NamedTuple):
    """A stored event, and the reason of its annotation, if it has one."""

    occurred_at: datetime
    event_id: UUID
    reason: Reason | None


class Selection(NamedTuple):
    """The events of a tenant in a range, all or those with a tag value."""

    tenant_id: int
    since: datetime
    before: datetime
    tag_id: int | None = None


class Money(NamedTuple):
    """What events add to the sums: nano-USD, and events that have no price."""

    nanousd: int
    unpriced: int


_NAMED = """
SELECT event.occurred_at, event.event_id, annotation.reason
FROM unnest($2::timestamptz[], $3::uuid[]) AS named (occurred_at, event_id)
CROSS JOIN LATERAL (
    SELECT occurred_at, event_id FROM nocontent.events
    WHERE tenant_id = $1 AND occurred_at = named.occurred_at AND event_id = named.event_id
) AS event
LEFT JOIN nocontent.annotations annotation
    ON annotation.tenant_id = $1 AND annotation.occurred_at = event.occurred_at AND annotation.event_id = event.event_id
"""
_RANGE = """
SELECT event.occurred_at, event.event_id, annotation.reason
FROM nocontent.events event
LEFT JOIN nocontent.annotations annotation
    ON annotation.tenant_id = $1 AND annotation.occurred_at = event.occurred_at AND annotation.event_id = event.event_id
WHERE event.tenant_id = $1 AND event.occurred_at >= $2 AND event.occurred_at < $3
    AND ($4::smallint IS NULL OR $4 IN (event.tag_1, event.tag_2, event.tag_3, event.tag_4))
    AND (event.occurred_at, event.event_id) > ($2, $5)
ORDER BY event.occurred_at, event.event_id LIMIT $6
"""
_COUNT = """
SELECT count(*) FROM (
    SELECT FROM nocontent.events
    WHERE tenant_id = $1 AND occurred_at >= $2 AND occurred_at < $3
        AND ($4::smallint IS NULL OR $4 IN (tag_1, tag_2, tag_3, tag_4))
    LIMIT $5
) AS counted
"""
_LIST = """
SELECT occurred_at, event_id, reason FROM nocontent.annotations
WHERE tenant_id = $1 AND occurred_at >= $2 AND occurred_at < $3 AND (occurred_at, event_id) > ($2, $4)
ORDER BY occurred_at, event_id LIMIT $5
"""
# Rows keep a term that was retired.
_TAG = f"""
SELECT value.term_id FROM nocontent.vocabulary key JOIN nocontent.vocabulary value
    ON value.tenant_id = key.tenant_id AND value.kind = {int(Kind.TAG_VALUE)} AND value.parent_id = key.term_id
WHERE key.tenant_id = $1 AND key.kind = {int(Kind.TAG_KEY)} AND key.term = $2 AND value.term = $3
"""  # noqa: S608 (numbers of ours)
_FIRST_OPEN = """
SELECT greatest(
    nocontent.kept_since($1), usage_frozen_before,
    (SELECT usage_frozen_before FROM nocontent.tenants WHERE tenant_id = $1)
)::timestamp AT TIME ZONE 'UTC' FROM nocontent.retention WHERE retention_id = 1
"""
_ANNOTATE = "SELECT changed FROM nocontent.annotate_events($1, $2, $3, $4::smallint)"
_REMOVE = "SELECT nocontent.remove_annotations($1, $2, $3)"


async def find_tag(connection: Connection, tenant_id: int, key: str, value: str) -> int:
    """Return the id of a tag value, also of one that is refused today; raises CannotStart."""
    found = await connection.fetchval(_TAG, tenant_id, key, value)
    if found is None:
        raise CannotStart("This tenant never had that tag value.")
    return int(found)


async def find(connection: Connection, tenant_id: int, ids: Sequence[UUID]) -> list[Found]:
    """Return those of some events that are stored."""
    known = [(time, each) for each in sorted(set(ids)) if (time := time_of(each)) is not None]
    rows = await connection.fetch(_NAMED, tenant_id, [time for time, _ in known], [each for _, each in known])
    return [_found(row) for row in rows]


async def count(connection: Connection, wanted: Selection) -> int:
    """Count the events of a selection; raises CannotStart if they are too many for one act."""
    counted = int(await connection.fetchval(_COUNT, *wanted, EVENTS_MAX + 1))
    if counted > EVENTS_MAX:
        raise CannotStart(f"These are more than {EVENTS_MAX:,} events: name a shorter range.")
    return counted


async def pages(connection: Connection, wanted: Selection) -> AsyncIterator[list[Found]]:
    """Yield the events of a selection, as many at a time as can be annotated at once."""
    since, after = wanted.since, UUID(int=0)
    while True:
        rows = await connection.fetch(_RANGE, wanted.tenant_id, since, wanted.before, wanted.tag_id, after, IDS_MAX)
        if rows:
            yield [_found(row) for row in rows]
        if len(rows) < IDS_MAX:
            return
        since, after = rows[-1]["occurred_at"], rows[-1]["event_id"]


async def annotated(connection: Connection, wanted: Selection) -> AsyncIterator[list[Found]]:
    """Yield the annotations of a range, page by page."""
    since, after = wanted.since, UUID(int=0)
    while True:
        rows = await connection.fetch(_LIST, wanted.tenant_id, since, wanted.before, after, IDS_MAX)
        yield [_found(row) for row in rows]
        if len(rows) < IDS_MAX:
            return
        since, after = rows[-1]["occurred_at"], rows[-1]["event_id"]


async def money(connection: Connection, tenant_id: int, events: Sequence[Found]) -> Money:
    """Return what those of the events that are not annotated are worth in the sums."""
    if not events:
        return Money(0, 0)
    ordered = sorted(event.occurred_at for event in events)
    slices = [list(own) for _, own in groupby(ordered, lambda at: (at - _EPOCH) // _SLICE)]
    spans = [Span(tenant_id, own[0], own[-1]) for own in slices]
    async with connection.transaction(readonly=True):
        await connection.execute(cells.SETTINGS)
        rows = await cells.of_events(connection, spans, [event.event_id for event in events])
    nanousd = sum(row["reported_cost_nanousd"] + row["computed_cost_nanousd"] for row in rows)
    return Money(int(nanousd), int(sum(row["unpriced_events"] for row in rows)))


async def require_open(connection: Connection, tenant_id: int, first: datetime) -> None:
    """Raise CannotStart if the sums of a time can no longer be made again."""
    opened = await connection.fetchval(_FIRST_OPEN, tenant_id)
    if opened is not None and first < opened:
        raise CannotStart(
            f"The sums of days before {opened:%Y-%m-%d} are frozen, since their events are dropped or about to be:"
            " nothing can take an event out of them or put it back."
        )


async def annotate(connection: Connection, tenant_id: int, events: Sequence[Found], reason: Reason) -> int:
    """Annotate events in one transaction, and return of how many that was a change."""
    return await _act(connection, tenant_id, "annotation.add", _ANNOTATE, (*_keys(events), int(reason)))


async def remove(connection: Connection, tenant_id: int, events: Sequence[Found]) -> int:
    """Remove the annotations of events in one transaction, and return how many there were."""
    return await _act(connection, tenant_id, "annotation.remove", _REMOVE, _keys(events))


async def _act(connection: Connection, tenant_id: int, name: str, statement: str, values: Sequence[object]) -> int:
    """Run a function on one tenant; no worker needs to know, so this takes no revision."""
    try:
        async with connection.transaction():
            changed = int(await connection.fetchval(statement, tenant_id, *values))
            if changed:
                await Audit(connection).note(tenant_id, name)
    except asyncpg.ObjectNotInPrerequisiteStateError:
        raise CannotStart("The sums of one of these days were frozen meanwhile.") from None
    return changed


def _keys(events: Sequence[Found]) -> tuple[list[UUID], list[datetime]]:
    return [event.event_id for event in events], [event.occurred_at for event in events]


def _found(row: asyncpg.Record) -> Found:
    reason = row["reason"]
    return Found(row["occurred_at"], row["event_id"], None if reason is None else Reason(reason))


def time_of(event_id: UUID) -> datetime | None:
    """Return the time of an event, which its id begins with; None if no event can have that id."""
    milliseconds = event_id.int >> 80
    if event_id.version != _VERSION or milliseconds > _MS_MAX:
        return None
    return _EPOCH + timedelta(milliseconds=milliseconds)
