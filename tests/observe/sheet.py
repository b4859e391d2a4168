"""A dashboard's data over a run, as JSON between two environments: one asks Prometheus, the other has matplotlib."""

from collections.abc import Sequence
from typing import TypedDict


class Line(TypedDict):
    """A series: its legend, and a value for each second, or None."""

    legend: str
    values: Sequence[float | None]


class Graph(TypedDict):
    """A panel with the results of its queries."""

    title: str
    kind: str
    unit: str
    lines: Sequence[Line]


class Strip(TypedDict):
    """A row of a dashboard, with its height on Grafana's grid."""

    title: str
    height: int
    graphs: Sequence[Graph]


class Sheet(TypedDict):
    """A dashboard, with the seconds in which the database paused."""

    paused: tuple[float, float]
    strips: Sequence[Strip]
