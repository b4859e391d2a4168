"""Draws a chart twice from the same amounts: in SVG, for pages without scripts, and as JSON for `charts.js`."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from ingest.console.charts.measures import Measure, MeasureKind
from ingest.console.charts.periods import Period, Unit
from ingest.console.charts.readings import Course

WIDTH, HEIGHT = 720, 180  # Of the drawing, in units of SVG.
_GAP = 0.25  # Of a bar's place.
_LABELS_MAX = 8
_SHORT: Mapping[Unit, str] = {"hour": "%H:%M", "day": "%-d %b", "month": "%b %Y"}
_WHOLE: Mapping[Unit, str] = {"hour": "%Y-%m-%d %H:%M", "day": "%Y-%m-%d", "month": "%Y-%m"}
_NANO = 1_000_000_000
Role = Literal["now", "earlier", "group", "rest"]


class Line(NamedTuple):
    """What a chart shows of each unit: nano-USD or numbers."""

    name: str
    role: Role
    amounts: Sequence[int]


class Chart(NamedTuple):
    """Lines over one period; that of the period before may be shorter or longer."""

    measure: Measure
    period: Period
    starts: Sequence[datetime]
    lines: Sequence[Line]

    def titles(self) -> list[str]:
        """Name each unit, whole."""
        return [label(at, self.period.zone, self.period.unit) for at in self.starts]


class Bar(NamedTuple):
    """A unit of this period, which may go below zero, and the height of the same one of the period before."""

    x: float
    width: float
    y: float
    height: float
    mark: float | None
    title: str
    amount: int
    earlier: int | None


class Curve(NamedTuple):
    """A group's amounts, as points of a line."""

    name: str
    number: int  # Of its colour; 0: the rest.
    points: str


class Label(NamedTuple):
    """A word below the drawing."""

    x: float
    text: str


class Drawing(NamedTuple):
    """All that the SVG has."""

    bars: Sequence[Bar]
    curves: Sequence[Curve]
    labels: Sequence[Label]
    zero: float  # The height of the line of zero.
    top: int  # The highest amount.
    kind: MeasureKind


class _Scale(NamedTuple):
    """Turns units and amounts into places of the drawing."""

    top: int
    bottom: int
    place: float  # The width of a unit.

    def y(self, amount: int) -> float:
        return round((self.top - amount) * HEIGHT / (self.top - self.bottom or 1), 2)


class _Series(msgspec.Struct, frozen=True):
    name: str
    role: Role
    values: Sequence[float]


class _Document(msgspec.Struct, frozen=True):
    unit: Unit
    zone: str
    kind: str
    title: str
    starts: Sequence[int]  # Seconds since 1970.
    labels: Sequence[str]
    days: Sequence[str]  # The date of each, which a zoom asks for.
    series: Sequence[_Series]


def compared(measure: Measure, period: Period, now: Course, earlier: Course) -> Chart:
    """Return the chart of a course and the one before."""
    lines = [
        Line("This period", "now", [measure.of(row) for row in now.units]),
        Line("The period before", "earlier", [measure.of(row) for row in earlier.units[: len(now.units)]]),
    ]
    return Chart(measure, period, now.starts, lines)


def grouped(measure: Measure, period: Period, whole: Course, parts: Sequence[tuple[str, Course]]) -> Chart:
    """Return the chart of some groups, and of all the others together."""
    lines = [Line(name, "group", [measure.of(row) for row in part.units]) for name, part in parts]
    named = [sum(amounts) for amounts in zip(*(line.amounts for line in lines), strict=True)] or [0] * len(whole.units)
    rest = [measure.of(row) - amount for row, amount in zip(whole.units, named, strict=True)]
    if any(rest):
        lines.append(Line("All others", "rest", rest))
    return Chart(measure, period, whole.starts, lines)


def document(chart: Chart) -> bytes:
    """Return a chart as JSON, with money in dollars."""
    unit = _NANO if chart.measure.kind == "money" else 1
    zone = chart.period.zone
    return msgspec.json.encode(
        _Document(
            unit=chart.period.unit,
            zone=zone.key,
            kind=chart.measure.kind,
            title=chart.measure.title,
            starts=[int(at.timestamp()) for at in chart.starts],
            labels=chart.titles(),
            days=[at.astimezone(zone).date().isoformat() for at in chart.starts],
            series=[_Series(line.name, line.role, [each / unit for each in line.amounts]) for line in chart.lines],
        )
    )


def drawing(chart: Chart) -> Drawing:
    """Return where everything stands."""
    amounts = [amount for line in chart.lines for amount in line.amounts]
    scale = _Scale(max(0, *amounts, 0), min(0, *amounts, 0), WIDTH / max(1, len(chart.starts)))
    groups = [line for line in chart.lines if line.role in {"group", "rest"}]
    curves = [
        Curve(line.name, number if line.role == "group" else 0, _points(line, scale))
        for number, line in enumerate(groups, 1)
    ]
    return Drawing(_bars(chart, scale), curves, _labels(chart, scale), scale.y(0), scale.top, chart.measure.kind)


def label(at: datetime, zone: ZoneInfo, unit: Unit) -> str:
    """Name a unit of time, whole."""
    return at.astimezone(zone).strftime(_WHOLE[unit])


def _bars(chart: Chart, scale: _Scale) -> list[Bar]:
    by_role = {line.role: line.amounts for line in chart.lines}
    earlier = by_role.get("earlier", ())
    bars = []
    for number, (title, amount) in enumerate(zip(chart.titles(), by_role.get("now", ()), strict=False)):
        before = earlier[number] if number < len(earlier) else None
        bars.append(
            Bar(
                x=round((number + _GAP / 2) * scale.place, 2),
                width=round(scale.place * (1 - _GAP), 2),
                y=scale.y(max(amount, 0)),
                height=round(abs(scale.y(amount) - scale.y(0)), 2),
                mark=None if before is None else scale.y(before),
                title=title,
                amount=amount,
                earlier=before,
            )
        )
    return bars


def _points(line: Line, scale: _Scale) -> str:
    return " ".join(
        f"{(number + 0.5) * scale.place:.2f},{scale.y(amount)}" for number, amount in enumerate(line.amounts)
    )


def _labels(chart: Chart, scale: _Scale) -> list[Label]:
    step = -(-len(chart.starts) // _LABELS_MAX)
    form = _SHORT[chart.period.unit]
    return [
        Label(round((number + 0.5) * scale.place, 2), at.astimezone(chart.period.zone).strftime(form))
        for number, at in enumerate(chart.starts)
        if number % step == 0
    ]
