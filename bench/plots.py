"""`.venv-bench/bin/python -m bench.plots`: draw docs/img/*.svg from bench/results, with matplotlib installed there."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, TypedDict

import matplotlib as mpl
from matplotlib.figure import Figure

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench/results"
IMAGES = ROOT / "docs/img"
INCHES = (7.2, 3.6)
# Colours that the colour-blind can tell apart (Okabe and Ito), on white and on black.
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#7F7F7F"
_LIMITS = ("raw-server-copy", "raw-asyncpg-copy")
_OURS = ("ours-2", "ours-1")
_PEERS = ("node_unnest", "fastapi_copy", "fastapi_sqlalchemy", "phoenix")
_NAMES = {
    "raw-server-copy": "PostgreSQL: COPY from a file",
    "raw-asyncpg-copy": "asyncpg: COPY, ledger, 8,000 rows a commit",
    "ours-2": "nocontent, 2 workers",
    "ours-1": "nocontent, 1 worker",
    "node_unnest": "Node: fastify, unnest",
    "fastapi_copy": "FastAPI, asyncpg COPY",
    "fastapi_sqlalchemy": "FastAPI, SQLAlchemy",
    "phoenix": "Arize Phoenix (spans)",
}


class Spread(TypedDict):
    median: float
    min: float
    max: float


Figures = Mapping[str, Spread]


class Cell(TypedDict):
    figures: Figures


class Latest(TypedDict):
    """The fields read from latest.json and matrix.json, which bench.results writes."""

    commit: str
    machine: str
    rounds: int
    cells: Mapping[str, Cell]


class Point(TypedDict):
    ratio: Spread


class Provenance(TypedDict):
    commit: str


class Growth(TypedDict):
    """The fields read from growth.json, which bench.growth writes."""

    provenance: Provenance
    rounds: int
    points: Mapping[str, Point]


class Bar(NamedTuple):
    """A median with its spread."""

    name: str
    median: float
    low: float
    high: float
    colour: str


class Line(NamedTuple):
    name: str
    xs: Sequence[float]
    ys: Sequence[float]
    colour: str


class Frame(NamedTuple):
    """The title and the axes of a picture."""

    file: str
    title: str
    x_label: str
    y_label: str
    scale: Literal["linear", "log"]
    note: str


def main() -> int:
    """Draw every picture that there are results for."""
    mpl.rcParams.update(
        {"svg.fonttype": "none", "svg.hashsalt": "nocontent", "font.size": 9, "axes.spines.top": False,
         "axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.25}
    )  # fmt: skip
    IMAGES.mkdir(parents=True, exist_ok=True)
    latest, matrix = _read("latest"), _read("matrix")
    if latest:
        _throughput(_cells(latest), _note(latest))
    if whole := matrix or latest:
        _latency(_cells(whole), _note(whole))
        _batches(_cells(whole), _note(whole))
    if _is_there("growth"):
        _draw_growth(json.loads((RESULTS / "growth.json").read_bytes()))
    return 0


def _is_there(name: str) -> bool:
    path = RESULTS / f"{name}.json"
    if not path.exists():
        print(f"no {path.relative_to(ROOT)}: nothing drawn from it", file=sys.stderr)
    return path.exists()


def _read(name: str) -> Latest | None:
    return json.loads((RESULTS / f"{name}.json").read_bytes()) if _is_there(name) else None


def _cells(latest: Latest) -> Mapping[str, Figures]:
    return {name: cell["figures"] for name, cell in latest["cells"].items()}


def _note(latest: Latest) -> str:
    return f"{latest['commit']} · {latest['machine']} · {latest['rounds']} rounds"


def _draw_growth(growth: Growth) -> None:
    points = growth["points"].items()
    bars = [_bar(name, point["ratio"], GREY if name == "empty" else BLUE) for name, point in points]
    note = f"{growth['provenance']['commit']} · {growth['rounds']} rounds"
    _draw_bars(bars, Frame("growth.svg", "Throughput, to that of an empty database", "ratio", "", "linear", note))


def _throughput(cells: Mapping[str, Figures], note: str) -> None:
    colours = dict.fromkeys(_LIMITS, GREY) | dict.fromkeys(_OURS, BLUE) | dict.fromkeys(_PEERS, ORANGE)
    bars = [_bar(_NAMES[name], cells[name]["events_s"], colours[name]) for name in _NAMES if name in cells]
    _draw_bars(
        bars, Frame("throughput.svg", "Events stored, limits and peers", "events/s, logarithmic", "", "log", note)
    )


def _latency(cells: Mapping[str, Figures], note: str) -> None:
    loads = {name: int(name.removeprefix("open-").removesuffix("k")) for name in cells if _is_plain_load(name)}
    names = sorted(loads, key=lambda name: loads[name])
    lines = [
        Line(label, [loads[name] for name in names], [cells[name][figure]["median"] for name in names], colour)
        for label, figure, colour in (
            ("p50", "ack_ms_p50", GREEN),
            ("p99", "ack_ms_p99", BLUE),
            ("p99.9", "ack_ms_p999", ORANGE),
        )
    ]
    frame = Frame(
        "latency.svg", "Time to the acknowledgement, from the scheduled moment of sending",
        "thousand events/s, 1,000 a batch, 1 worker", "ms", "log", note,
    )  # fmt: skip
    _draw_lines(lines if names else [], frame)


def _is_plain_load(name: str) -> bool:
    return name.startswith("open-") and name.removeprefix("open-").removesuffix("k").isdigit()


def _batches(cells: Mapping[str, Figures], note: str) -> None:
    sizes = {1: "batch-1", 10: "batch-10", 100: "batch-100", 1_000: "ours-1", 5_000: "batch-5000"}
    found = {size: name for size, name in sizes.items() if name in cells}
    lines = [
        Line(label, list(found), [cells[name][figure]["median"] for name in found.values()], colour)
        for label, figure, colour in (
            ("service", "cpu_us_service", BLUE),
            ("PostgreSQL", "cpu_us_postgres", ORANGE),
            ("load generator", "cpu_us_client", GREY),
        )
    ]
    frame = Frame("batches.svg", "CPU an event, by the size of a batch", "events a batch", "µs", "log", note)
    _draw_lines(lines if len(found) > 1 else [], frame)


def _bar(name: str, spread: Spread, colour: str) -> Bar:
    return Bar(name, spread["median"], spread["min"], spread["max"], colour)


def _draw_bars(bars: Sequence[Bar], frame: Frame) -> None:
    if not bars:
        return
    chart = _Chart(frame)
    places = list(range(len(bars), 0, -1))
    reach = [[bar.median - bar.low for bar in bars], [bar.high - bar.median for bar in bars]]
    style = {"color": [bar.colour for bar in bars], "ecolor": "#333333", "capsize": 2}
    chart.axes.barh(places, [bar.median for bar in bars], xerr=reach, **style)
    chart.axes.set_yticks(places, [bar.name for bar in bars])
    for place, bar in zip(places, bars, strict=True):
        text = f" {bar.median:,.0f}" if bar.median >= 100 else f" {bar.median:.2f}"
        chart.axes.text(bar.high, place, text, va="center")
    chart.axes.set_xscale(frame.scale)
    chart.axes.margins(x=0.15)
    if frame.scale == "log":
        chart.axes.set_xlim(left=10)
    chart.axes.grid(visible=False, axis="y")
    chart.save()


def _draw_lines(lines: Sequence[Line], frame: Frame) -> None:
    if not lines:
        return
    chart = _Chart(frame)
    for line in lines:
        chart.axes.plot(line.xs, line.ys, marker="o", markersize=4, color=line.colour, label=line.name)
    chart.axes.set_xscale(frame.scale)
    chart.axes.set_yscale(frame.scale)
    chart.axes.set_xticks(lines[0].xs, [f"{x:,.0f}" for x in lines[0].xs])
    chart.axes.minorticks_off()
    if frame.scale == "linear":
        chart.axes.set_ylim(bottom=0)
    chart.axes.legend(frameon=False)
    chart.save()


class _Chart:
    """A chart with its frame."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._figure = Figure(figsize=INCHES, layout="constrained")
        self.axes = self._figure.add_subplot()
        self.axes.set_title(frame.title, loc="left", fontweight="bold")
        self.axes.set_xlabel(f"{frame.x_label}\n{frame.note}")
        self.axes.set_ylabel(frame.y_label)

    def save(self) -> None:
        path = IMAGES / self._frame.file
        self._figure.savefig(path, metadata={"Date": None})
        lines = path.read_text("utf-8").splitlines()
        path.write_text("\n".join(line.rstrip() for line in lines) + "\n", "utf-8")
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    sys.exit(main())
