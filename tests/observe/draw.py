"""`.venv-bench/bin/python -m tests.observe.draw SHEETS IMAGES`: draw the dashboards from Prometheus's responses."""

# ruff: noqa: T201 (talks to a person at a terminal)

import json
import sys
import textwrap
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot as plt

from tests.observe.sheet import Graph, Sheet

WIDTH_IN = 12.0
UNIT_IN = 0.36  # Of Grafana's grid, from top to bottom.
LEGENDS_MAX = 12
LETTERS = 130  # That fit side by side.
# Colours that the colour-blind can tell apart (Okabe and Ito), then greys.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F7F7F", "#000000")
_SCALES = {"bytes": (2.0**20, "MiB"), "percentunit": (0.01, "%"), "none": (1.0, "")}
_STYLE = {
    "axes.grid": True, "axes.spines.right": False, "axes.spines.top": False, "axes.titlelocation": "left",
    "axes.titlesize": 9, "figure.constrained_layout.use": True, "font.size": 8, "grid.alpha": 0.25,
    "legend.frameon": False, "lines.linewidth": 1.2, "lines.marker": ".", "lines.markersize": 1.5,
}  # fmt: skip


def main(sheets: Path, images: Path) -> int:
    """Draw every sheet, and return 1 if there is none."""
    mpl.use("agg")
    mpl.rcParams.update({**_STYLE, "axes.prop_cycle": mpl.cycler(color=COLOURS)})
    paths = sorted(sheets.glob("*.json"))
    for path in paths:
        _draw(json.loads(path.read_bytes()))
        plt.savefig(images / f"{path.stem}.png", metadata={"Software": None})
        print(f"drawn {images / path.stem}.png")
    return int(not paths)


def _draw(sheet: Sheet) -> None:
    heights = [strip["height"] + 1 for strip in sheet["strips"]]
    figure = plt.figure(figsize=(WIDTH_IN, sum(heights) * UNIT_IN), dpi=100)
    rows = figure.subfigures(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    for row, strip in zip(rows, sheet["strips"], strict=True):
        row.suptitle(strip["title"], x=0.005, ha="left", weight="bold")
        places = row.subplots(1, len(strip["graphs"]), squeeze=False)[0]
        width = LETTERS // len(places)
        for axes, graph in zip(places, strip["graphs"], strict=True):
            plt.sca(axes)
            plt.title(textwrap.fill(graph["title"], width))
            if graph["kind"] == "timeseries" and graph["lines"]:
                plt.axvspan(*sheet["paused"], color="#BBBBBB", alpha=0.35, linewidth=0)
                _lines(graph, width)
            else:
                plt.axis("off")
                plt.text(0, 0.9, _words(graph), va="top", size=13 if graph["kind"] == "stat" else 8)


def _lines(graph: Graph, width: int) -> None:
    divisor, unit = _scale(graph)
    for place, line in enumerate(graph["lines"]):
        values = [float("nan") if value is None else value / divisor for value in line["values"]]
        style = "-" if place < len(COLOURS) else "--"
        plt.plot(values, style, label=line["legend"] if place < LEGENDS_MAX else None)
    plt.ylabel(unit)
    plt.xlim(0, len(graph["lines"][0]["values"]) - 1)
    plt.ylim(bottom=0)
    columns = max(1, width // (max(len(line["legend"]) for line in graph["lines"]) + 8))
    plt.legend(loc="upper left", bbox_to_anchor=(0, -0.12), ncols=columns, fontsize=7)


def _words(graph: Graph) -> str:
    """Return the last value of a number, and the labels of a table."""
    divisor, unit = _scale(graph)
    last = [value for line in graph["lines"] for value in line["values"][-1:] if value is not None]
    if graph["kind"] == "table":
        return "\n".join(line["legend"].replace(" ", "\n") for line in graph["lines"])
    places = 1 if graph["unit"] in {"s", "percentunit"} else 0
    return f"{last[0] / divisor:,.{places}f} {unit}" if last else "none"


def _scale(graph: Graph) -> tuple[float, str]:
    return _SCALES.get(graph["unit"], (1.0, graph["unit"].removeprefix("suffix: ")))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
