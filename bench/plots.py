"""`.venv-bench/bin/python -m bench.plots`: draw docs/img/*.svg from bench/results, with matplotlib installed there."""

import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import matplotlib as mpl
from matplotlib.figure import Figure

from bench import results
from bench.results import ROOT, Cell, Growth, Results, Spread
from bench.scenario import NAMES, Scenario

IMAGES = ROOT / "docs/img"
INCHES = (7.2, 3.6)
# Colours that the colour-blind can tell apart (Okabe and Ito), on white and on black.
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#7F7F7F"
_STYLE = {
    "svg.fonttype": "none", "svg.hashsalt": "nocontent", "font.size": 9, "axes.spines.top": False,
    "axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.25,
}  # fmt: skip


class Frame(NamedTuple):
    """The title and the axes of a picture."""

    file: str
    title: str
    x_label: str
    y_label: str
    note: str


def main() -> int:
    """Draw every picture."""
    mpl.rcParams.update(_STYLE)
    latest, matrix, growth = (
        results.read("latest", Results), results.read("matrix", Results), results.read("growth", Growth)
    )  # fmt: skip
    _throughput(latest.cells, _note(latest))
    _latency(matrix.cells, _note(matrix))
    _batches(matrix.cells, _note(matrix))
    frame = Frame(
        "growth.svg", "Throughput, to that of an empty database", "ratio", "",
        f"{growth.provenance.commit} · {growth.rounds} rounds",
    )  # fmt: skip
    bars = {name: point.ratio for name, point in growth.points.items()}
    _draw_bars(bars, [GREY if name == "empty" else BLUE for name in bars], frame)
    return 0


def _note(found: Results) -> str:
    return f"{found.commit} · {found.machine} · {found.rounds} rounds"


def _throughput(cells: Mapping[str, Cell], note: str) -> None:
    shown = [(NAMES[name], cells[name]) for name in NAMES if name in cells]
    frame = Frame("throughput.svg", "Events stored, limits and peers", "events/s, logarithmic", "", note)
    bars = {name.replace("*", "").replace("`", ""): cell.figures["events_s"] for name, cell in shown}
    _draw_bars(bars, [_colour(cell.scenario) for _, cell in shown], frame, is_log=True)


def _colour(scenario: Scenario) -> str:
    return BLUE if scenario.system == "ours" else GREY if scenario.system.startswith("raw") else ORANGE


def _latency(cells: Mapping[str, Cell], note: str) -> None:
    loads = {
        cell.scenario.events_per_s // 1_000: cell
        for cell in cells.values()
        if cell.scenario.events_per_s and cell.scenario.workers == 1
    }
    frame = Frame(
        "latency.svg", "Time to the acknowledgement, from the scheduled moment of sending",
        "thousand events/s, 1,000 a batch, 1 worker", "ms", note,
    )  # fmt: skip
    lines = {"p50": ("ack_ms_p50", GREEN), "p99": ("ack_ms_p99", BLUE), "p99.9": ("ack_ms_p999", ORANGE)}
    _draw_lines(loads, lines, frame)


def _batches(cells: Mapping[str, Cell], note: str) -> None:
    names = ("batch-1", "batch-10", "batch-100", "ours-1", "batch-5000")
    sizes = {cells[name].scenario.batch_events: cells[name] for name in names if name in cells}
    frame = Frame("batches.svg", "CPU an event, by the size of a batch", "events a batch", "µs", note)
    lines = {
        "service": ("cpu_us_service", BLUE),
        "PostgreSQL": ("cpu_us_postgres", ORANGE),
        "load generator": ("cpu_us_client", GREY),
    }
    _draw_lines(sizes, lines, frame)


def _draw_bars(bars: Mapping[str, Spread], colours: Sequence[str], frame: Frame, *, is_log: bool = False) -> None:
    chart = _Chart(frame)
    places = list(range(len(bars), 0, -1))
    found = list(bars.values())
    reach = [[each.median - each.min for each in found], [each.max - each.median for each in found]]
    medians = [each.median for each in found]
    chart.axes.barh(places, medians, xerr=reach, color=colours, ecolor="#333333", capsize=2)
    chart.axes.set_yticks(places, list(bars))
    for place, each in zip(places, found, strict=True):
        text = f" {each.median:,.0f}" if each.median >= 100 else f" {each.median:.2f}"
        chart.axes.text(each.max, place, text, va="center")
    chart.axes.set_xscale("log" if is_log else "linear")
    chart.axes.margins(x=0.15)
    if is_log:
        chart.axes.set_xlim(left=10)
    chart.axes.grid(visible=False, axis="y")
    chart.save()


def _draw_lines(cells: Mapping[int, Cell], lines: Mapping[str, tuple[str, str]], frame: Frame) -> None:
    """Draw a line for each label, of a figure and in a colour, over what the cells are keyed by."""
    chart = _Chart(frame)
    xs = sorted(cells)
    for label, (figure, colour) in lines.items():
        ys = [cells[x].figures[figure].median for x in xs]
        chart.axes.plot(xs, ys, marker="o", markersize=4, color=colour, label=label)
    chart.axes.set_xscale("log")
    chart.axes.set_yscale("log")
    chart.axes.set_xticks(xs, [f"{x:,.0f}" for x in xs])
    chart.axes.minorticks_off()
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
