"""Routing: which models served what was asked for, how often requests failed, and how long they took."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, get_args

from starlette.responses import Response

from ingest.accounts.roles import Role
from ingest.console.charts import asking, changes, drawing, flow, readings
from ingest.console.charts.asking import Asked
from ingest.console.charts.drawing import Chart, Line
from ingest.console.charts.measures import MEASURES
from ingest.console.charts.readings import Course, Group
from ingest.console.page import Page
from ingest.console.tables import Cell, Column, Table
from ingest.console.visit import Visit
from ingest.reports.answers import Percentiles, Row
from ingest.store.connections import Connection
from ingest.store.usage.reads import COLUMNS
from schema.event import Status

PATH = "/routing"
ROLES: frozenset[Role] = frozenset(("owner", "admin", "analyst"))
_DEFAULT = "7d"
_LOCAL_DAYS_MAX = 2  # Hours with the times of answers are 24 times as many histograms.
_ROWS_MAX = 20
_STATUSES: Sequence[str] = get_args(Status)
_OK = _STATUSES[0]
_ROUTED, _REQUESTED, _STATUS = (COLUMNS[name] for name in ("routed_model", "requested_model", "status"))
_FLAGS = ("fallback", "retried", "escalated", "cached")
_NONE = "There are no requests in this period."


class _Found(NamedTuple):
    """What a period has by pairs of models, by status, by model and status, and by model with times."""

    total: Row
    pairs: list[Group]
    statuses: list[Group]
    outcomes: list[Group]
    times: list[Group]


async def show(visit: Visit) -> Response:
    """Show the routes, failures and times of a period."""
    asked = _asked(visit)
    tenant_id, period = visit.person.tenant_id, asked.choice.period
    async with visit.read() as connection:
        found = await _read(connection, tenant_id, asked)
        failures = await _failures(connection, tenant_id, asked)
        fresh = await readings.freshness(connection, tenant_id, period)
    rows_max = None if asking.is_download(visit.query) else _ROWS_MAX
    return visit.render(
        "routing.html",
        asked=asked,
        fresh=fresh,
        total=found.total,
        shares=_shares(found),
        flow=flow.flow((*_pair_of(group), group.row.events) for group in found.pairs),
        drawing=drawing.drawing(_chart(asked, failures)),
        has_failures=bool(failures),
        pairs=_pairs(found, rows_max),
        pairs_left=max(0, len(found.pairs) - _ROWS_MAX),
        statuses=_statuses(found),
        outcomes=_outcomes(found, rows_max),
        times=_times(found, rows_max),
        models_left=max(0, len(found.times) - _ROWS_MAX),
    )


async def series(visit: Visit) -> Response:
    """Return the chart's figures as JSON."""
    asked = _asked(visit)
    async with visit.read() as connection:
        failures = await _failures(connection, visit.person.tenant_id, asked)
    return Response(drawing.document(_chart(asked, failures)), media_type="application/json")


def _asked(visit: Visit) -> Asked:
    return asking.ask(visit.query, visit.zone, PATH, _DEFAULT, _LOCAL_DAYS_MAX)


async def _read(connection: Connection, tenant_id: int, asked: Asked) -> _Found:
    period = asked.choice.period
    course = await readings.course(connection, tenant_id, period)
    pairs = await readings.groups(
        connection, tenant_id, period, ("requested_model", "routed_model"), (_REQUESTED, _ROUTED)
    )
    statuses = await readings.groups(connection, tenant_id, period, ("status",), (_STATUS,))
    outcomes = await readings.groups(connection, tenant_id, period, ("routed_model", "status"), (_ROUTED, _STATUS))
    times = await readings.times(connection, tenant_id, period, ("routed_model",), (_ROUTED,))
    by_use = sorted(pairs, key=lambda group: (-group.row.events, group.ids))
    return _Found(course.total, by_use, statuses, outcomes, times)


async def _failures(connection: Connection, tenant_id: int, asked: Asked) -> dict[str, Course]:
    """Return the course of each status but `ok` that there is."""
    ids = range(1, len(_STATUSES))
    found = await readings.courses(connection, tenant_id, asked.choice.period, _STATUS, ids)
    return {_STATUSES[number]: course for number, course in found.items() if course.total.events}


def _chart(asked: Asked, failures: Mapping[str, Course]) -> Chart:
    period = asked.choice.period
    lines = [Line(name, "group", [row.events for row in course.units]) for name, course in failures.items()]
    return Chart(MEASURES["requests"], period, period.starts(), lines)


def _shares(found: _Found) -> dict[str, float | None]:
    """Return the parts of all requests that the page begins with."""
    events = found.total.events
    elsewhere = sum(group.row.events for group in found.pairs if group.ids[0] != group.ids[1])
    failed = sum(group.row.events for group in found.statuses if group.names != (_OK,))
    flags = found.total.flags
    counted = {
        "elsewhere": elsewhere, "failed": failed, "fallback": flags.fallback, "retried": flags.retried,
        "escalated": flags.escalated, "cached": flags.cached, "streamed": flags.streamed,
    }  # fmt: skip
    return {name: changes.part(count, events) for name, count in counted.items()}


def _pair_of(group: Group) -> tuple[str, str]:
    requested, routed = group.names
    return requested, routed


def _pairs(found: _Found, rows_max: int | None) -> Table:
    columns = (
        Column("requested", "Requested", "code"), Column("routed", "Routed to", "code"),
        Column("requests", "Requests", "count"), Column("share", "Of all", "share"),
        Column("spend_usd", "Spend", "money"), Column("savings_usd", "Savings", "money"),
        Column("coverage_reported", "Covered", "share"),
        Column("coverage_priced", "By price", "share"), Column("unpriced_requests", "Unpriced", "count"),
        *(Column(name, name.capitalize(), "count") for name in _FLAGS),
    )  # fmt: skip
    rows = [_pair(group, found.total.events) for group in found.pairs[:rows_max]]
    return Table("routes", "Requested and routed", columns, rows, _NONE)


def _pair(group: Group, events: int) -> list[Cell]:
    row = group.row
    return [
        *group.names,
        row.events,
        changes.part(row.events, events),
        row.cost.total_nanousd,
        row.savings.total_nanousd,
        changes.part(row.savings.baseline_events, row.events),
        changes.part(row.savings.priced_events, row.events),
        row.cost.unpriced_events,
        *(getattr(row.flags, name) for name in _FLAGS),
    ]


def _statuses(found: _Found) -> Table:
    columns = (
        Column("status", "Status", "code"), Column("requests", "Requests", "count"), Column("share", "Of all", "share"),
        Column("spend_usd", "Spend", "money"),
    )  # fmt: skip
    rows = [
        [
            *group.names,
            group.row.events,
            changes.part(group.row.events, found.total.events),
            group.row.cost.total_nanousd,
        ]
        for group in sorted(found.statuses, key=lambda group: group.ids)
    ]
    return Table("statuses", "Requests by status", columns, rows, _NONE)


def _outcomes(found: _Found, rows_max: int | None) -> Table:
    """List the part of each model's requests with each status that is not `ok`."""
    counted: defaultdict[tuple[int, str], dict[str, int]] = defaultdict(dict)
    for group in found.outcomes:
        counted[group.ids[0], group.names[0]][group.names[1]] = group.row.events
    columns = (
        Column("model", "Model", "code"), Column("requests", "Requests", "count"), Column("failed", "Failed", "share"),
        *(Column(status, status.replace("_", " ").capitalize(), "share") for status in _STATUSES[1:]),
    )  # fmt: skip
    most = sorted(counted.items(), key=lambda item: (-sum(item[1].values()), item[0]))
    rows = [_outcome(name, by_status) for (_, name), by_status in most[:rows_max]]
    return Table("errors", "Failures by model", columns, rows, _NONE)


def _outcome(name: str, by_status: Mapping[str, int]) -> list[Cell]:
    events = sum(by_status.values())
    parts = [changes.part(by_status.get(status, 0), events) for status in _STATUSES[1:]]
    return [name, events, changes.part(events - by_status.get(_OK, 0), events), *parts]


def _times(found: _Found, rows_max: int | None) -> Table:
    columns = [Column("model", "Model", "code")]
    for name, title in (("latency", "Whole answer"), ("ttft", "First token")):
        columns.append(Column(f"{name}_requests", f"{title}: requests", "count"))
        columns += [Column(f"{name}_{share}_ms", share, "ms") for share in ("p50", "p95", "p99")]
    rows = [
        [*group.names, *_percentiles(group.row.latency), *_percentiles(group.row.ttft)]
        for group in found.times[:rows_max]
    ]
    return Table("times", "Times by model", columns, rows, _NONE)


def _percentiles(found: Percentiles | None) -> Iterable[Cell]:
    assert found is not None
    return found.events, found.p50_ms, found.p95_ms, found.p99_ms


PAGES = (
    Page(path=PATH, name="routing", title="Routing", roles=ROLES, handler=show, nav="Routing"),
    Page(path=f"{PATH}/series", name="routing-series", title="Routing", roles=ROLES, handler=series),
)
