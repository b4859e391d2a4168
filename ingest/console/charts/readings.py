"""Reads the figures of pages from rollups, by the code that answers `/v1/usage`: so they are its figures."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from ingest.console.charts.periods import LOCAL_DAYS_MAX, Period
from ingest.reports import answers, summing
from ingest.reports.answers import Row
from ingest.store.connections import Connection
from ingest.store.usage import reads
from ingest.store.usage.columns import SUMS
from ingest.store.usage.reads import Column, Dimension, Freshness, Key, Page, Selection, Sums

UNITS_MAX = 1_000  # Of a chart: ten years of months, three months of days, two days of hours.
GROUPS_MAX = 10_000  # Of a table; a tenant has 8,192 values of tags at most.
WITHOUT = "(without)"  # In the place of a tag's value; no term has brackets.
_DAYS_OF_ALL_MAX = 2  # Hours of all dimensions are so many rows that longer periods are of whole days of UTC.
_ROWS_MAX = 5_000  # Of groups by time; of more the two are read apart.
_NOTHING = dict.fromkeys(SUMS, 0)


class Course(NamedTuple):
    """The sums of a period: in all, and for each unit of its time."""

    total: Row
    starts: list[datetime]
    units: list[Row]


class Divided(NamedTuple):
    """A period by time, and by groups, the most costly first."""

    course: Course
    groups: list["Group"]
    dimension: Dimension
    rows: list[Sums] | None  # By both, if it was read so.


class Group(NamedTuple):
    """A group: its ids, their names, and its sums."""

    ids: tuple[int, ...]
    names: tuple[str, ...]
    row: Row


def local_days_max(dimensions: Iterable[Dimension]) -> int:
    """Return the days up to which a period may be of the viewer's zone if it is divided by these dimensions."""
    is_of_models = all(isinstance(each, Column) and each.name != "task_category" for each in dimensions)
    return LOCAL_DAYS_MAX if is_of_models else _DAYS_OF_ALL_MAX


async def course(connection: Connection, tenant_id: int, period: Period) -> Course:
    """Return the sums of a period, with nothing for each unit without any."""
    found = await reads.sums(connection, _selection(tenant_id, period, ()), Page(None, UNITS_MAX))
    return _course(period, found)


async def divided(connection: Connection, tenant_id: int, period: Period, name: str, dimension: Dimension) -> Divided:
    """Return the sums of a period by time and by the groups of a dimension.

    Rows of days by all dimensions, and of years, are so many that they are read once, and added up here in both ways.
    """
    if period.unit == "month" or local_days_max((dimension,)) < LOCAL_DAYS_MAX:
        selection = _selection(tenant_id, period, (dimension,))
        found = await reads.sums(connection, selection, Page(None, _ROWS_MAX))
        if len(found) < _ROWS_MAX:
            by_group: dict[tuple[int, ...], list[Sums]] = {}
            for sums in found:
                by_group.setdefault(sums.key.ids, []).append(sums)
            totals = [_added(rows, Key(period.since, ids)) for ids, rows in by_group.items()]
            named = await _named(connection, selection, (name,), totals)
            return Divided(_course(period, found), _by_spend(named), dimension, found)
    groups_ = await groups(connection, tenant_id, period, (name,), (dimension,))
    return Divided(await course(connection, tenant_id, period), groups_, dimension, None)


async def parts(
    connection: Connection, tenant_id: int, period: Period, whole: Divided, ids: Sequence[int]
) -> dict[int, Course]:
    """Return the sums of each of some groups, from those of all if these were read by time as well."""
    if whole.rows is None:
        return await courses(connection, tenant_id, period, whole.dimension, ids)
    return {each: _course(period, [sums for sums in whole.rows if sums.key.ids == (each,)]) for each in ids}


async def courses(
    connection: Connection, tenant_id: int, period: Period, dimension: Dimension, ids: Sequence[int]
) -> dict[int, Course]:
    """Return the sums of each of some groups of a dimension."""
    if not ids:
        return {}
    selection = _selection(tenant_id, period, (dimension,))._replace(only=tuple(ids))
    found = await reads.sums(connection, selection, Page(None, UNITS_MAX * len(ids)))
    return {each: _course(period, [sums for sums in found if sums.key.ids == (each,)]) for each in ids}


async def groups(
    connection: Connection, tenant_id: int, period: Period, names: Sequence[str], dimensions: Sequence[Dimension]
) -> list[Group]:
    """Return the sums of each group over a period, the most costly first, without times of answers."""
    return _by_spend(await _groups(connection, _selection(tenant_id, period, dimensions), names))


async def times(
    connection: Connection, tenant_id: int, period: Period, names: Sequence[str], dimensions: Sequence[Dimension]
) -> list[Group]:
    """Return the sums of each group with the percentiles of its times, the most used first."""
    selection = _selection(tenant_id, period, dimensions)._replace(has_histograms=True)
    found = await _groups(connection, selection, names)
    return sorted(found, key=lambda group: (-group.row.events, group.ids))


async def _groups(connection: Connection, selection: Selection, names: Sequence[str]) -> list[Group]:
    selection = selection._replace(granularity="total", starts=())
    return await _named(connection, selection, names, await reads.sums(connection, selection, Page(None, GROUPS_MAX)))


def _by_spend(found: Sequence[Group]) -> list[Group]:
    return sorted(found, key=lambda group: (-group.row.cost.total_nanousd, -group.row.events, group.ids))


async def _named(
    connection: Connection, selection: Selection, names: Sequence[str], found: Sequence[Sums]
) -> list[Group]:
    rows = await summing.rows(connection, selection, names, found)
    return [
        Group(sums.key.ids, tuple(row.group[name] or WITHOUT for name in names), row)
        for sums, row in zip(found, rows, strict=True)
    ]


async def freshness(connection: Connection, tenant_id: int, period: Period) -> Freshness:
    """Return what the sums of a period lack."""
    return await reads.freshness(connection, _selection(tenant_id, period, ()))


def added(rows: Iterable[Sums], at: datetime) -> Row:
    """Return one row of many."""
    return answers.row(_added(rows, Key(at, ())), {})


def _added(rows: Iterable[Sums], key: Key) -> Sums:
    measures: Counter[str] = Counter(_NOTHING)
    for row in rows:
        for name, value in row.measures.items():
            measures[name] += value
    return Sums(key, measures, None, None)


def _course(period: Period, found: Sequence[Sums]) -> Course:
    starts = period.starts()
    units: list[list[Sums]] = [[] for _ in starts]
    for sums in found:
        units[period.place(starts, sums.key.at)].append(sums)
    return Course(added(found, period.since), starts, [added(unit, at) for unit, at in zip(units, starts, strict=True)])


def _selection(tenant_id: int, period: Period, dimensions: Sequence[Dimension]) -> Selection:
    starts = tuple(period.starts()) if period.unit != "hour" else ()
    return Selection(
        tenant_id, period.since, period.before, period.unit, tuple(dimensions), has_histograms=False, starts=starts
    )
