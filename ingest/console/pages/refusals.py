"""Refusals of the tenant's requests, by cause, door and day, each with what to do about it. Never a value."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import attrgetter

from starlette.responses import Response

from ingest.accounts.roles import Role
from ingest.console import days
from ingest.console.page import Page
from ingest.console.tables import Cell, Column, Link, Table
from ingest.console.visit import Visit
from ingest.reports import advice
from ingest.serving.errors import NotFound
from ingest.store import traffic_reads
from ingest.store.traffic_reads import Day, Refusal

_ROLES: frozenset[Role] = frozenset(("owner", "admin", "analyst", "auditor"))
_COUNTS = (Column("requests", "Requests", "count"), Column("records", "Records", "count"))
_CAUSES = (
    Column("cause", "Cause"),
    *_COUNTS,
    Column("doors", "Door"),
    Column("last_at", "Last", "when"),
    Column("says", "What to do"),
)
_PLACES = (
    Column("door", "Door"),
    Column("field", "Field", "code"),
    *_COUNTS,
    Column("first_at", "First", "when"),
    Column("last_at", "Last", "when"),
)
_DAYS = (
    Column("day", "Day (UTC)", "day"),
    Column("requests", "Requests", "count"),
    Column("refused", "Refused", "count"),
    Column("share", "Share", "share"),
    Column("records", "Records refused", "count"),
)


async def show(visit: Visit) -> Response:
    """Show the causes of the last days, the most frequent first."""
    span = days.of(visit.query)
    async with visit.read() as connection:
        found = await traffic_reads.refusals(connection, span.since)
        by_day = await traffic_reads.days(connection, span.since)
        learned = await traffic_reads.learned(connection, span.start)
    return visit.render(
        "refusals.html",
        span=span,
        requests=sum(day.requests for day in by_day),
        refused=sum(day.refused for day in by_day),
        records=sum(day.records for day in by_day),
        learned=learned,
        causes=Table("causes", "By cause", _CAUSES, [_cause(span.number, rows) for rows in _by_cause(found)]),
        by_day=_by_day(by_day),
    )


async def show_cause(visit: Visit) -> Response:
    """Show one cause: what it means, what to do, at which doors and fields, and on which days."""
    cause = visit.path_params["cause"]
    says = advice.of(cause)
    if says is None:
        raise NotFound
    span = days.of(visit.query)
    async with visit.read() as connection:
        found = await traffic_reads.refusals(connection, span.since, cause)
        by_day = await traffic_reads.days(connection, span.since, cause)
    rows = [
        (advice.DOORS[each.door], each.field, each.requests, each.records, each.first_at, each.last_at)
        for each in found
    ]
    return visit.render(
        "refusal.html",
        span=span,
        cause=cause,
        advice=says,
        places=Table("places", "By door and field", _PLACES, rows, "Nothing was refused for this in these days."),
        by_day=_by_day([day for day in by_day if day.refused or day.records]),
    )


def _by_cause(found: Iterable[Refusal]) -> list[list[Refusal]]:
    """Group by cause, the most frequent first."""
    ordered = sorted(found, key=attrgetter("cause"))
    groups = [list(rows) for _, rows in groupby(ordered, attrgetter("cause"))]
    return sorted(groups, key=lambda rows: -sum(row.requests + row.records for row in rows))


def _cause(count: int, rows: Sequence[Refusal]) -> tuple[Cell, ...]:
    cause = rows[0].cause
    says = advice.of(cause)  # A rule of a later version is not known here.
    return (
        Link(cause, f"/refusals/{cause}?days={count}"),
        sum(row.requests for row in rows),
        sum(row.records for row in rows),
        ", ".join(dict.fromkeys(advice.DOORS[row.door] for row in rows)),
        max(row.last_at for row in rows),
        says.says if says else None,
    )


def _by_day(found: Sequence[Day]) -> Table:
    rows = [
        (day.day, day.requests, day.refused, day.refused / day.requests if day.requests else None, day.records)
        for day in found
    ]
    return Table("days", "By day", _DAYS, rows, "No request came in these days.")


PAGES = (
    Page(path="/refusals", name="refusals", title="Refusals", roles=_ROLES, handler=show, nav="Refusals"),
    Page(
        path="/refusals/{cause}",
        name="refusal",
        title="Refusal",
        roles=_ROLES,
        handler=show_cause,
        example={"cause": "content.prompt"},
    ),
)
