"""Lists figures as tables: savings never without their coverage, amounts never without what is in none."""

from collections.abc import Sequence

from ingest.console.charts import changes, drawing, periods, readings
from ingest.console.charts.measures import tokens_in
from ingest.console.charts.periods import Period
from ingest.console.charts.readings import Course, Group
from ingest.console.tables import Cell, Column, Table
from ingest.reports.answers import Row

_UNITS = {"hour": "Hour", "day": "Day", "month": "Month"}
FIGURES = (
    Column("requests", "Requests", "count"),
    Column("savings_usd", "Savings", "money"),
    Column("coverage_reported", "Covered", "share"),
    Column("coverage_priced", "By price", "share"),
    Column("baseline_usd", "Baseline", "money"),
    Column("unpriced_requests", "Unpriced", "count"),
    Column("tokens_in", "Tokens in", "count"),
    Column("tokens_out", "Tokens out", "count"),
)
_SPEND = Column("spend_usd", "Spend", "money")
_BEFORE = (Column("spend_change", "Change", "share"), Column("spend_before_usd", "Spend before", "money"))
_NOTHING = readings.added((), periods.BEGINNING)
NO_REQUESTS = "There are no requests in this period."


def figures(row: Row) -> list[Cell]:
    """Return the cells of FIGURES."""
    saved = row.savings
    return [
        row.events,
        saved.total_nanousd,
        changes.part(saved.baseline_events, row.events),
        changes.part(saved.priced_events, row.events),
        saved.baseline_nanousd,
        row.cost.unpriced_events,
        tokens_in(row),
        row.tokens.output,
    ]


def of_course(caption: str, period: Period, now: Course, earlier: Course | None) -> Table:
    """List each unit of a period, beside the same one of the period before if there is one."""
    columns = (Column("start", _UNITS[period.unit]), _SPEND, *(_BEFORE if earlier else ()), *FIGURES)
    rows: list[list[Cell]] = []
    for number, (at, row) in enumerate(zip(now.starts, now.units, strict=True)):
        before = _earlier(row, number, earlier) if earlier else []
        start = drawing.label(at, period.zone, period.unit)
        rows.append([start, row.cost.total_nanousd, *before, *figures(row)])
    return Table("figures", caption, columns, rows, NO_REQUESTS)


def of_groups(
    caption: str, columns: Sequence[Column], now: Sequence[Group], earlier: Sequence[Group], whole: Row
) -> Table:
    """List groups, beside the same ones of the period before; the columns are those of their names."""
    before = {group.ids: group.row for group in earlier}
    rows: list[list[Cell]] = [
        [
            *group.names,
            group.row.cost.total_nanousd,
            changes.part(group.row.cost.total_nanousd, whole.cost.total_nanousd),
            *_compared(group.row, before.get(group.ids, _NOTHING)),
            *figures(group.row),
        ]
        for group in now
    ]
    every = (*columns, _SPEND, Column("spend_share", "Of all", "share"), *_BEFORE, *FIGURES)
    return Table(columns[0].name, caption, every, rows, NO_REQUESTS)


def _earlier(row: Row, number: int, earlier: Course) -> list[Cell]:
    return _compared(row, earlier.units[number]) if number < len(earlier.units) else [None, None]


def _compared(row: Row, before: Row) -> list[Cell]:
    spend = before.cost.total_nanousd
    return [changes.change(row.cost.total_nanousd, spend).ratio, spend]
