"""Prometheus's responses to the panels' queries over a run, written to files to be drawn."""

import math

import msgspec

from k8s.generate.board import RANGE, WINDOW, Panel
from k8s.generate.panels import BOARDS
from tests.observe import install
from tests.observe.prometheus import Prometheus, Series, Span
from tests.observe.sheet import Graph, Line, Sheet, Strip

FOLDER = install.FOLDER / "sheets"
WINDOW_S = 10  # At a scrape a second; Grafana's is four of its own.


def write(watching: Prometheus, span: Span, paused: tuple[float, float]) -> None:
    """Run the dashboards' queries over a run, and write a file for each."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for board in BOARDS:
        strips = [
            Strip(title=row.title, height=row.height, graphs=[graph(watching, panel, span) for panel in row.panels])
            for row in board.rows
        ]
        sheet = Sheet(paused=paused, strips=strips)
        (FOLDER / f"dashboard-{board.name}.json").write_bytes(msgspec.json.encode(sheet))


def graph(watching: Prometheus, panel: Panel, span: Span) -> Graph:
    """Run a panel's queries."""
    lines = [
        _line(query.legend, found, span)
        for query in panel.queries
        for found in watching.over(_whole(query.expression, span), span)
    ]
    return Graph(title=panel.title, kind=panel.kind, unit=panel.unit, lines=lines)


def _whole(expression: str, span: Span) -> str:
    """Replace Grafana's variables with spans."""
    return expression.replace(WINDOW, f"{WINDOW_S}s").replace(RANGE, f"{span.end - span.start:.0f}s")


def _line(legend: str, found: Series, span: Span) -> Line:
    """Name a series as Grafana does, and leave gaps where it has no number."""
    for label, value in found.metric.items():
        legend = legend.replace(f"{{{{{label}}}}}", value)
    values: list[float | None] = [None] * (int(span.end - span.start) + 1)
    for at, value in found.values:
        values[round(at - span.start)] = None if math.isnan(float(value)) else float(value)
    return Line(legend=legend or " ".join(value for _, value in sorted(found.metric.items())), values=values)
