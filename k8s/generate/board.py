"""A dashboard as data, and the usual panels: of rates, quantiles, lines and single numbers."""

from typing import Literal, NamedTuple

WINDOW = "$__rate_interval"  # Grafana's: at least four scrapes.
RANGE = "$__range"  # The whole of what is shown.


class Query(NamedTuple):
    """A PromQL query, and its legend with labels as `{{label}}`."""

    expression: str
    legend: str


class Panel(NamedTuple):
    """A picture. A `stat` is a number, a `table` a list of labels."""

    title: str
    unit: str
    queries: tuple[Query, ...]
    kind: Literal["timeseries", "stat", "table"] = "timeseries"


class Row(NamedTuple):
    """Panels side by side; the height is that of Grafana's grid."""

    title: str
    panels: tuple[Panel, ...]
    height: int = 8


class Board(NamedTuple):
    """A dashboard."""

    name: str
    title: str
    description: str
    rows: tuple[Row, ...]

    @property
    def panels(self) -> tuple[Panel, ...]:
        return tuple(panel for row in self.rows for panel in row.panels)


def rates(title: str, unit: str, counter: str, label: str) -> Panel:
    """Return a query of a counter by a label, without values that do not change."""
    name, _, matchers = counter.partition("{")
    selector = name + (f"{{{matchers}" if matchers else "")
    expression = f"sum by ({label}) (rate({selector}[{WINDOW}])) > 0"
    return Panel(title, f"suffix: {unit}/s", (Query(expression, f"{{{{{label}}}}}"),))


def quantiles(title: str, unit: str, histograms: dict[str, str], quantiles: tuple[float, ...]) -> Panel:
    queries = [
        Query(f"histogram_quantile({q}, sum by (le) (rate({name}_bucket[{WINDOW}])))", f"{legend}p{q * 100:g}")
        for name, legend in histograms.items()
        for q in quantiles
    ]
    return Panel(title, unit, tuple(queries))


def by_instance(title: str, unit: str, expression: str) -> Panel:
    return Panel(title, unit, (Query(expression, "{{instance}}"),))


def line(title: str, unit: str, expression: str, legend: str) -> Panel:
    return Panel(title, unit, (Query(expression, legend),))


def stat(title: str, unit: str, expression: str) -> Panel:
    return Panel(title, unit, (Query(expression, title),), "stat")


def table(title: str, expression: str) -> Panel:
    return Panel(title, "none", (Query(expression, ""),), "table")
