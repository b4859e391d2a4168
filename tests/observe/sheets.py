"""Prometheus's responses to the panels' queries over a run, written to files to be drawn."""

import math
from typing import NamedTuple

import msgspec

from tests.observe import boards, install
from tests.observe.boards import Shown
from tests.observe.panels import RANGE, WINDOW
from tests.observe.prometheus import Prometheus, Series, Span

FOLDER = install.FOLDER / "sheets"
WINDOW_S = 10  # At a scrape a second; Grafana's is four of its own.


class Drawn(msgspec.Struct):
    """A query's result: its legend, and points as seconds and values."""

    legend: str
    points: list[tuple[float, float]]


class Picture(msgspec.Struct):
    """A panel with the results of its queries."""

    title: str
    kind: str
    unit: str
    decimals: int | None
    place: boards.Place
    lines: list[Drawn]


class Sheet(msgspec.Struct):
    """A dashboard to be drawn, with the span in which the database paused."""

    title: str
    note: str
    seconds: float
    paused: tuple[float, float]
    pictures: list[Picture]
    headings: dict[int, str]  # By their place from the top.


class Run(NamedTuple):
    """The times of the run and of the database's pause, in Unix time."""

    span: Span
    paused: tuple[float, float]


def write(watching: Prometheus, run: Run) -> None:
    """Run the dashboards' queries over a run, and write a file for each."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, dashboard in boards.committed().items():
        headings = {panel.grid_pos.y: panel.title for panel in dashboard.panels if panel.type == "row"}
        seconds = run.span.end - run.span.start
        note = f"{seconds:.0f} s of load on two workers; in the shaded part the database did not answer"
        pictures = [picture(watching, panel, run.span) for panel in dashboard.pictures]
        sheet = Sheet(dashboard.title, note, seconds, run.paused, pictures, headings)
        (FOLDER / f"dashboard-{name}.json").write_bytes(msgspec.json.encode(sheet))


def picture(watching: Prometheus, panel: Shown, span: Span) -> Picture:
    """Run a panel's queries."""
    assert panel.field_config
    shown = panel.field_config.defaults
    lines = [
        _drawn(target.legend_format, found, span.start)
        for target in panel.targets
        for found in watching.over(_whole(target.expr, span), span)
    ]
    return Picture(panel.title, panel.type, shown.unit, shown.decimals, panel.grid_pos, lines)


def _whole(expression: str, span: Span) -> str:
    """Replace Grafana's variables with spans."""
    return expression.replace(WINDOW, f"{WINDOW_S}s").replace(RANGE, f"{span.end - span.start:.0f}s")


def _drawn(legend: str, found: Series, start: float) -> Drawn:
    """Name a series as Grafana does, and leave out values that are not numbers."""
    for label, value in found.metric.items():
        legend = legend.replace(f"{{{{{label}}}}}", value)
    name = legend or " ".join(value for _, value in sorted(found.metric.items()))
    points = [(at - start, float(value)) for at, value in found.values]
    return Drawn(name, [point for point in points if not math.isnan(point[1])])
