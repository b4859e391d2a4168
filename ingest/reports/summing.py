"""Answers a question about usage: reads a page of sums, and puts names in the place of ids."""

from collections.abc import Sequence
from datetime import datetime
from typing import get_args

from ingest.reports import answers, cursor
from ingest.reports.answers import Row, Usage
from ingest.reports.query import Question
from ingest.store.connections import Connection
from ingest.store.usage import reads
from ingest.store.usage.reads import Column, Dimension, Freshness, Page, Selection, Sums
from schema.event import Kind, Status
from schema.vocabulary import UNKNOWN

_STATUSES = dict(enumerate(get_args(Status)))
_Names = list[dict[int, str]]


async def answer(connection: Connection, tenant_id: int, asked: Question, page: Page) -> Usage:
    """Return a page of the answer, in the caller's transaction."""
    selection = Selection(tenant_id, asked.since, asked.before, asked.granularity, asked.dimensions, asked.percentiles)
    found = await reads.sums(connection, selection, page._replace(limit=page.limit + 1))
    freshness = await reads.freshness(connection, selection)
    kept, rest = found[: page.limit], found[page.limit :]
    return Usage(
        since=asked.since,
        before=asked.before,
        granularity=asked.granularity,
        group_by=list(asked.group_by),
        as_of=_as_of(asked, freshness),
        pending_events=freshness.pending_events,
        rows=await rows(connection, selection, asked.group_by, kept),
        next=cursor.write(asked, kept[-1].key) if rest else None,
    )


async def rows(
    connection: Connection, selection: Selection, group_by: Sequence[str], found: Sequence[Sums]
) -> list[Row]:
    """Return sums with names in the place of ids."""
    names = [await _names(connection, selection, place, found) for place in range(len(selection.dimensions))]
    return [answers.row(each, _group(selection, group_by, each, names)) for each in found]


def _as_of(asked: Question, freshness: Freshness) -> datetime:
    """Return the time before which nothing is missing: in whole minutes, so that the answer changes only with them."""
    now = freshness.now.replace(second=0, microsecond=0)
    return min(asked.before, now, freshness.pending_since or now)


def _group(selection: Selection, group_by: Sequence[str], sums: Sums, names: _Names) -> dict[str, str | None]:
    group: dict[str, str | None] = {}
    for place, name in enumerate(group_by):
        named = sums.key.ids[place]
        is_absent = not named and not isinstance(selection.dimensions[place], Column)
        group[name] = None if is_absent else names[place].get(named, UNKNOWN)
    return group


async def _names(connection: Connection, selection: Selection, place: int, found: Sequence[Sums]) -> dict[int, str]:
    """Return the names of the ids of one dimension."""
    kind = _kind(selection.dimensions[place])
    if kind is None:
        return _STATUSES
    return await reads.terms(connection, selection.tenant_id, kind, [*{each.key.ids[place] for each in found}])


def _kind(dimension: Dimension) -> Kind | None:
    return dimension.kind if isinstance(dimension, Column) else Kind.TAG_VALUE
