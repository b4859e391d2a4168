"""Reads rollups: sums of a tenant over a range, in groups and page by page, from the coarsest grain that has them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal, NamedTuple

import asyncpg

from ingest.store.connections import Connection
from ingest.store.usage.columns import SUMS, Grain
from schema.event import Kind

Granularity = Literal["hour", "day", "month", "total"]


class Column(NamedTuple):
    """A dimension that is a column of `usage`: its name, and the kind of its terms, or None for a status."""

    name: str
    kind: Kind | None


class Tag(NamedTuple):
    """A declared tag key, whose values are a dimension; a row without one has 0."""

    key: str
    key_id: int


Dimension = Column | Tag
COLUMNS: Mapping[str, Column] = {
    "task_category": Column("task_category", Kind.TASK_CATEGORY),
    "provider": Column("provider", Kind.PROVIDER),
    "requested_model": Column("requested_model", Kind.MODEL),
    "routed_model": Column("routed_model", Kind.MODEL),
    "status": Column("status", None),
}


class Key(NamedTuple):
    """The place of a row in an answer: the start of its time, and an id for each dimension."""

    at: datetime
    ids: tuple[int, ...]


class Selection(NamedTuple):
    """The rows that an answer sums up, and how."""

    tenant_id: int
    since: datetime
    before: datetime
    granularity: Granularity
    dimensions: tuple[Dimension, ...]
    has_histograms: bool  # Which take most of the time: 55 bins a row.
    # In place of the units of UTC, ascending; the first contains `since`. Of months they take a third of the time, too.
    starts: tuple[datetime, ...] = ()
    only: tuple[int, ...] | None = None  # Rows with these ids of the first dimension, or all.


class Page(NamedTuple):
    """The rows of an answer to return: those after a key, up to a number."""

    after: Key | None
    limit: int


Counts = dict[int, int]  # Bins of `ingest.usage.histogram`, with their counts.


class Sums(NamedTuple):
    """A row of an answer, with ids."""

    key: Key
    measures: Mapping[str, int]
    latency: Counts | None
    ttft: Counts | None


class Freshness(NamedTuple):
    """The events that are stored and not yet summed up, the earliest of them, and PostgreSQL's time."""

    pending_events: int
    pending_since: datetime | None
    now: datetime


def grain(selection: Selection) -> Grain:
    """Return the grain with the fewest rows that can answer."""
    names = {each.name for each in selection.dimensions if isinstance(each, Column)}
    is_daily = all(not at.hour and not at.minute for at in (selection.since, selection.before))
    if selection.granularity == "hour":
        is_daily = False
    if len(names) < len(selection.dimensions) or "task_category" in names:
        return Grain.DAY if is_daily else Grain.HOUR
    if is_daily:
        return Grain.DAY_MODEL
    return Grain.HOUR_MODEL if names else Grain.QUARTER


# In place of date_trunc, which takes twice as long a row.
_HOUR, _DAY = "date_bin('1 hour', at, '2000-01-01T00:00:00Z')", "date_bin('1 day', at, '2000-01-01T00:00:00Z')"
_PERIODS: Mapping[Granularity, Sequence[Grain]] = {
    "hour": (Grain.HOUR, Grain.HOUR_MODEL), "day": (Grain.DAY, Grain.DAY_MODEL), "month": (), "total": (),
}  # fmt: skip
_BUCKETS: Mapping[Granularity, str] = {
    "hour": _HOUR, "day": _DAY, "month": "date_trunc('month', at, 'UTC')", "total": "$3::timestamptz",
}  # fmt: skip
_RANGE = "tenant_id = $1 AND grain = $2 AND at >= $3 AND at < $4"
_SUMS = ", ".join(f"total({name}) AS {name}" for name in SUMS)
_PAGE = """
SELECT {keys}, {sums} FROM usage WHERE {range} AND {after} GROUP BY {places} ORDER BY {places} LIMIT {limit}
"""
# Only of the rows of a page, since the bins of a row are many. Two unnest in one list of columns take two thirds of the
# time of a LATERAL, and arrays are fewer rows to send.
_HISTOGRAMS = """
SELECT {places}, is_ttft, array_agg(bin) AS bins, array_agg(amount) AS amounts
FROM (
    SELECT {places}, is_ttft, bin, total(amount) AS amount
    FROM (
        SELECT {keys}, false AS is_ttft, unnest(latency_bins) AS bin, unnest(latency_counts) AS amount
        FROM usage WHERE {range} AND {after} AND {until}
        UNION ALL
        SELECT {keys}, true, unnest(ttft_bins), unnest(ttft_counts) FROM usage WHERE {range} AND {after} AND {until}
    ) AS counted
    GROUP BY {places}, is_ttft, bin
) AS merged
GROUP BY {places}, is_ttft
"""


class _Query:
    """The expressions of a selection, and the values of its parameters."""

    def __init__(self, selection: Selection, values: Mapping[int, Sequence[int]]) -> None:
        self.arguments: list[object] = [
            selection.tenant_id,
            int(grain(selection)),
            selection.since,
            selection.before,
        ]
        self._keys = [self._bucket(selection)]
        for dimension in selection.dimensions:
            if isinstance(dimension, Column):
                self._keys.append(dimension.name)
            else:
                self._keys.append(self._tag(values[dimension.key_id]))
        self._only = "true"
        if selection.only is not None:
            self._only = f"{self._keys[1]} = ANY ({self._place(list(selection.only))}::smallint[])"

    @property
    def dimensions(self) -> int:
        return len(self._keys) - 1

    def _place(self, value: object) -> str:
        self.arguments.append(value)
        return f"${len(self.arguments)}"

    def _bucket(self, selection: Selection) -> str:
        if grain(selection) in _PERIODS[selection.granularity]:
            return "at"
        if selection.starts:
            # An hour is of the day in which it begins, in grains that could divide it, too.
            at = "at" if grain(selection) in {Grain.DAY, Grain.DAY_MODEL} else _HOUR
            starts = f"{self._place(list(selection.starts))}::timestamptz[]"
            return f"({starts})[width_bucket({at}, {starts})]"
        return _BUCKETS[selection.granularity]

    def _tag(self, value_ids: Sequence[int]) -> str:
        """Return an expression for the only tag of a row, of four in ascending order, that is a value of a key."""
        place = self._place(list(value_ids))
        cases = " ".join(f"WHEN tag_{n} = ANY ({place}::smallint[]) THEN tag_{n}" for n in range(1, 5))
        return f"CASE {cases} ELSE 0 END"

    def compare(self, operator: Literal[">", "<="], key: Key | None) -> str:
        """Return a comparison of a row's key with another."""
        if key is None:
            return "true"
        given = []
        for value, kind in zip((key.at, *key.ids), ["timestamptz", *["smallint"] * len(key.ids)], strict=True):
            given.append(f"{self._place(value)}::{kind}")
        return f"({', '.join(self._keys)}) {operator} ({', '.join(given)})"

    def write(self, template: str, **parts: str) -> str:
        keys = ", ".join(f"{key} AS key_{number}" for number, key in enumerate(self._keys))
        places = ", ".join(f"key_{number}" for number in range(len(self._keys)))
        return template.format(keys=keys, places=places, range=f"{_RANGE} AND {self._only}", sums=_SUMS, **parts)


_VALUES = "SELECT term_id FROM vocabulary WHERE tenant_id = $1 AND kind = $2 AND parent_id = $3"


async def sums(connection: Connection, selection: Selection, page: Page) -> list[Sums]:
    """Sum up a page of an answer."""
    values = {
        each.key_id: [
            row["term_id"]
            for row in await connection.fetch(_VALUES, selection.tenant_id, int(Kind.TAG_VALUE), each.key_id)
        ]
        for each in selection.dimensions
        if isinstance(each, Tag)
    }
    if page.after is not None and selection.granularity != "total":
        selection = selection._replace(since=max(selection.since, page.after.at))  # Its earlier rows were returned.
    query = _Query(selection, values)
    after = query.compare(">", page.after)
    query.arguments.append(page.limit)
    statement = query.write(_PAGE, after=after, limit=f"${len(query.arguments)}")
    rows = await connection.fetch(statement, *query.arguments)
    if not rows:
        return []
    keys = [_key(row, len(selection.dimensions)) for row in rows]
    histograms: dict[tuple[Key, bool], Counts] = {}
    if selection.has_histograms:
        until = keys[-1] if len(keys) == page.limit else None
        histograms = await _histograms(connection, _Query(selection, values), page.after, until)
    nothing: Counts | None = {} if selection.has_histograms else None
    return [
        Sums(
            key,
            {name: row[name] for name in SUMS},
            histograms.get((key, False), nothing),
            histograms.get((key, True), nothing),
        )
        for key, row in zip(keys, rows, strict=True)
    ]


async def _histograms(
    connection: Connection, query: _Query, after: Key | None, until: Key | None
) -> dict[tuple[Key, bool], Counts]:
    statement = query.write(_HISTOGRAMS, after=query.compare(">", after), until=query.compare("<=", until))
    return {
        (_key(row, query.dimensions), row["is_ttft"]): dict(zip(row["bins"], row["amounts"], strict=True))
        for row in await connection.fetch(statement, *query.arguments)
    }


def _key(row: asyncpg.Record, dimensions: int) -> Key:
    return Key(row["key_0"], tuple(row[f"key_{number}"] for number in range(1, dimensions + 1)))


_TERMS = (
    "SELECT term_id, term FROM vocabulary WHERE tenant_id IN (0, $1) AND kind = $2 AND term_id = ANY ($3::smallint[])"
)


async def terms(connection: Connection, tenant_id: int, kind: Kind, ids: Sequence[int]) -> dict[int, str]:
    """Return the terms of ids, retired ones too; those of the catalogue and of a tenant never share an id."""
    rows = await connection.fetch(_TERMS, tenant_id, int(kind), list(ids))
    return {row["term_id"]: row["term"] for row in rows}


_FRESHNESS = """
SELECT coalesce(sum(events), 0)::bigint AS events, min(first) AS since, now() AS now
FROM usage_marks WHERE tenant_id = $1 AND last >= $2 AND first < $3
"""


async def freshness(connection: Connection, selection: Selection) -> Freshness:
    """Return what an answer lacks."""
    row = await connection.fetchrow(_FRESHNESS, selection.tenant_id, selection.since, selection.before)
    assert row is not None
    return Freshness(row["events"], row["since"], row["now"])


_NAME = "SELECT name FROM tenants WHERE tenant_id = $1"


async def tenant_name(connection: Connection, tenant_id: int) -> str:
    """Return the name that an operator gave a tenant."""
    return str(await connection.fetchval(_NAME, tenant_id))
