"""`.venv-bench/bin/python -m tests.observe.draw SHEETS IMAGES`: draw the dashboards from Prometheus's responses.

By matplotlib, because it is there; what stands where, in which unit and under which name, is the dashboards' own.
"""

# ruff: noqa: T201 (talks to a person at a terminal)

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, TypedDict

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter

DPI = 100
WIDTH_IN = 12.0
UNIT_IN = 0.36  # Of Grafana's grid, from top to bottom.
COLUMNS = 24
LEGENDS_MAX = 12
LETTER = 0.13  # Of Grafana's units, with the room between two legends.
# Colours that the colour-blind can tell apart (Okabe and Ito), then greys.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F7F7F", "#000000")
_KIB = 1024


class Place(TypedDict):
    x: int
    y: int
    w: int
    h: int


class Line(TypedDict):
    legend: str
    points: Sequence[tuple[float, float]]


class Picture(TypedDict):
    title: str
    kind: str
    unit: str
    decimals: int | None
    place: Place
    lines: Sequence[Line]


class Sheet(TypedDict):
    """A dashboard's data, written by tests.observe."""

    title: str
    note: str
    seconds: float
    paused: tuple[float, float]
    pictures: Sequence[Picture]
    headings: dict[str, str]


class Scale(NamedTuple):
    """The format of values: a divisor, a number of decimals, and a unit."""

    divisor: float
    unit: str


def main(sheets: Path, images: Path) -> int:
    """Draw every sheet, and return 1 if there is none."""
    mpl.rcParams.update({"font.size": 8.5, "axes.spines.top": False, "axes.spines.right": False})
    drawn = [
        _draw(json.loads(path.read_bytes()), images / f"{path.stem}.png") for path in sorted(sheets.glob("*.json"))
    ]
    print("\n".join(f"drawn {path}" for path in drawn))
    return int(not drawn)


def _draw(sheet: Sheet, path: Path) -> Path:
    places = [picture["place"] for picture in sheet["pictures"]]
    height = max(place["y"] + place["h"] for place in places)
    page = _Page(height + 2)
    page.write(0.2, -1.0, sheet["title"], 14)
    page.write(0.2, -0.1, sheet["note"], 9)
    for top, heading in sheet["headings"].items():
        page.write(0.2, int(top) + 0.75, heading, 11)
    for picture in sheet["pictures"]:
        _KINDS[picture["kind"]](page, picture, sheet)
    page.figure.savefig(path, metadata={"Software": None})
    return path


class _Page:
    """A picture in units of Grafana's grid, from the upper left corner, below a head of two units."""

    def __init__(self, height: float) -> None:
        self.figure = Figure(figsize=(WIDTH_IN, height * UNIT_IN), dpi=DPI, facecolor="white")
        self._height = height

    def write(self, x: float, y: float, text: str, size: float) -> None:
        weight = "bold" if size > 9 else "normal"
        self.figure.text(x / COLUMNS, 1 - (y + 2) / self._height, text, size=size, weight=weight, va="baseline")

    def inside(self, place: Place, inset: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
        """Return left, bottom, width and height of a panel, as matplotlib counts, inside of an inset."""
        left, top, right, bottom = inset  # Of Grafana's units.
        x, width = (place["x"] + left) / COLUMNS, (place["w"] - left - right) / COLUMNS
        y = 1 - (place["y"] + 2 + place["h"] - bottom) / self._height
        return x, y, width, (place["h"] - top - bottom) / self._height


class _Panel:
    """Axes with a title."""

    def __init__(self, page: _Page, picture: Picture, inset: tuple[float, float, float, float]) -> None:
        self.axes = page.figure.add_axes(page.inside(picture["place"], inset))
        self.axes.set_title(picture["title"], loc="left", fontsize=9.5)


def _lines(page: _Page, picture: Picture, sheet: Sheet) -> None:
    legends = [line["legend"] for line in picture["lines"][:LEGENDS_MAX]]
    width = picture["place"]["w"] - 1.6
    columns = max(1, min(4, int((width + 0.5) / (1.2 + LETTER * max(map(len, legends), default=0)))))
    rows = -(-len(legends) // columns)
    axes = _Panel(page, picture, (1.35, 1.0, 0.25, 1.55 + 0.42 * rows)).axes
    top = max((value for line in picture["lines"] for _, value in line["points"]), default=0.0)
    scale = _scale(picture["unit"], top)
    axes.axvspan(*sheet["paused"], color="#BBBBBB", alpha=0.35, linewidth=0)
    for place, line in enumerate(picture["lines"]):
        style = {"color": COLOURS[place % len(COLOURS)], "linestyle": "-" if place < len(COLOURS) else "--"}
        marker = {"marker": "o", "markersize": 2.0} if len(line["points"]) < 25 else {}
        label = line["legend"] if place < LEGENDS_MAX else None
        xs, ys = _broken(line["points"], scale.divisor)
        axes.plot(xs, ys, linewidth=1.2, label=label, **style, **marker)
    axes.set_ylabel(scale.unit)
    axes.set_xlabel("seconds", labelpad=0)
    axes.set_xlim(0, sheet["seconds"])
    axes.set_ylim(0, 1.08 * top / scale.divisor or 1.0)
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
    axes.grid(visible=True, alpha=0.25)
    if picture["lines"]:
        bottom = -1.35 / (picture["place"]["h"] - 2.55 - 0.42 * rows)
        axes.legend(
            loc="upper left", bbox_to_anchor=(-0.9 / width, bottom), ncols=columns, frameon=False, fontsize=8,
            borderaxespad=0, handlelength=1.4, columnspacing=1.2, labelspacing=0.25,
        )  # fmt: skip
    else:
        axes.text(0.5, 0.5, "none", transform=axes.transAxes, ha="center", color="#777777")


def _broken(points: Sequence[tuple[float, float]], divisor: float) -> tuple[list[float], list[float]]:
    """Return a line with breaks at gaps of more than two seconds."""
    xs: list[float] = []
    ys: list[float] = []
    for at, value in points:
        if xs and at - xs[-1] > 2.5:
            xs.append(at)
            ys.append(float("nan"))
        xs.append(at)
        ys.append(value / divisor)
    return xs, ys


def _number(page: _Page, picture: Picture, _sheet: Sheet) -> None:
    axes = _Panel(page, picture, (0.2, 1.0, 0.2, 0.4)).axes
    axes.set_axis_off()
    found = [line["points"][-1][1] for line in picture["lines"] if line["points"]]
    scale = _scale(picture["unit"], found[0] if found else 0.0)
    places = picture["decimals"]
    text = f"{found[0] / scale.divisor:,.{1 if places is None else places}f} {scale.unit}" if found else "none"
    axes.text(0.0, 0.35, text, size=15, weight="bold", va="center", color="#0072B2")


def _listing(page: _Page, picture: Picture, _sheet: Sheet) -> None:
    axes = _Panel(page, picture, (0.4, 1.0, 0.2, 0.4)).axes
    axes.set_axis_off()
    for place, line in enumerate(picture["lines"]):
        axes.text(0.0, 0.9 - 0.15 * place, line["legend"].replace(" ", "\n"), size=9, va="top", family="monospace")


def _scale(unit: str, top: float) -> Scale:
    if unit == "s" and 0 < top < 1:
        return Scale(0.001, "ms")
    if unit == "bytes":
        return Scale(_KIB**2, "MiB") if top >= _KIB**2 else Scale(_KIB, "KiB")
    if unit == "percentunit":
        return Scale(0.01, "%")
    return Scale(1.0, "" if unit == "none" else unit.removeprefix("suffix: "))


_KINDS = {"timeseries": _lines, "stat": _number, "table": _listing}


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
