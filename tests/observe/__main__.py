"""`python -m tests.observe`: starts the service and a real Prometheus, sends a load of every kind with a database that
pauses, runs the alerts' tests, and draws both dashboards from what Prometheus answers."""  # noqa: D205, D209

# ruff: noqa: T201 (talks to a person at a terminal)

import argparse
import asyncio
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
from tqdm import tqdm

from tests.observe import boards, install, prometheus, rules
from tests.observe.boards import Shown
from tests.observe.install import CannotGet, Programs
from tests.observe.load import TENANTS, Load
from tests.observe.panels import RANGE, WINDOW
from tests.observe.prometheus import Prometheus, Span
from tests.observe.rules import RULES
from tests.soak.stage import Stage, staged
from tests.support.service import ROOT

PICTURES = ROOT / "docs/img"
WORKERS = 2
WINDOW_S = 10  # At a scrape a second; Grafana's is four of its own.
SEED = 6
_DRAWING = ROOT / ".venv-bench/bin/python"
_FIRED = 'ALERTS{alertstate="firing"}'


class Drawn(msgspec.Struct):
    """A query's answer: its legend, and points as seconds and values."""

    legend: str
    points: list[tuple[float, float]]


class Picture(msgspec.Struct):
    """A panel with what Prometheus answers to it."""

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
    """When it was, and when the database paused, in Unix time."""

    span: Span
    paused: tuple[float, float]


def main(argv: Sequence[str] | None = None) -> int:
    """Do all of it; status 0 if every alert's tests pass and both pictures are written."""
    args = _parse(argv)
    try:
        programs = install.get()
    except CannotGet as reason:
        print(f"{reason}.\n{install.SAYS}.", file=sys.stderr)
        return 1
    failing = rules.failing(programs.promtool, rules.TESTS_FILE)
    for alert in RULES:
        print(f"{'FAILED' if alert in failing else 'green '}  {alert} fires and does not fire as it should")
    finds = asyncio.run(_observe(programs, args))
    for find in finds:
        print(f"FOUND {find}")
    ended = subprocess.run([_DRAWING, "-m", "tests.observe.draw", install.FOLDER / "sheets", PICTURES], check=False)
    print(f"{len(RULES) - len(failing)} of {len(RULES)} alerts green")
    return int(bool(failing or finds or ended.returncode))


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.observe", description=__doc__)
    parser.add_argument("--seconds", type=int, default=160, help="of load (default: 160)")
    parser.add_argument("--pause", type=int, default=68, help="of these the database is silent (default: 68)")
    return parser.parse_args(argv)


async def _observe(programs: Programs, args: argparse.Namespace) -> list[str]:
    """Run the load before a Prometheus; gives what should not have been."""
    settings = {"max_connections": "60"}
    async with staged(TENANTS, WORKERS, settings, is_proxied=False) as stage:
        return await asyncio.to_thread(_watch, programs, stage, args)


def _watch(programs: Programs, stage: Stage, args: argparse.Namespace) -> list[str]:
    load = Load(stage.server.bind, stage.customers, SEED)
    folder = stage.server.log.parent / "prometheus"
    folder.mkdir()
    with prometheus.scraping(programs.prometheus, stage.server.metrics_bind, folder) as watching:
        time.sleep(WINDOW_S)  # So that there is a rate from the first second on.
        run = _play(load, stage, args)
        _write(watching, run)
        fired = sorted({found.metric["alertname"] for found in watching.over(_FIRED, run.span)})
        everything = str(watching.at_once('{__name__=~".+"}'))
    print(f"answers: {', '.join(f'{count:,} of {status}' for status, count in sorted(load.answers.items()))}")
    print(f"fired during the run: {', '.join(fired) or 'none'}")
    seen = everything + stage.server.log.read_text("utf-8", "replace")
    return [f"a canary in a metric or a log line: {canary[:6]}…" for canary in load.canaries if canary in seen]


def _play(load: Load, stage: Stage, args: argparse.Namespace) -> Run:
    """Send, with the database silent in the middle; gives when."""
    before_s = (args.seconds - args.pause) * 0.6
    began = time.time()
    with load.flowing(), tqdm(total=args.seconds, unit="s", disable=not sys.stderr.isatty()) as bar:
        _wait(bar.update, before_s)
        paused = time.time()
        with stage.database_paused():
            _wait(bar.update, args.pause)
        resumed = time.time()
        _wait(bar.update, args.seconds - args.pause - before_s)
    return Run(Span(began, time.time(), 1.0), (paused - began, resumed - began))


def _wait(tick: Callable[[], object], seconds: float) -> None:
    for _ in range(round(seconds)):
        time.sleep(1)
        tick()


def _write(watching: Prometheus, run: Run) -> None:
    """Ask what the dashboards ask, over the run, and leave it for whoever draws."""
    sheets = install.FOLDER / "sheets"
    sheets.mkdir(parents=True, exist_ok=True)
    for name, dashboard in boards.committed().items():
        headings = {panel.grid_pos.y: panel.title for panel in dashboard.panels if panel.type == "row"}
        seconds = run.span.end - run.span.start
        note = f"{seconds:.0f} s of load on two workers; in the shaded part the database did not answer"
        pictures = [_picture(watching, panel, run) for panel in dashboard.pictures]
        sheet = Sheet(dashboard.title, note, seconds, run.paused, pictures, headings)
        Path(sheets / f"dashboard-{name}.json").write_bytes(msgspec.json.encode(sheet))


def _picture(watching: Prometheus, panel: Shown, run: Run) -> Picture:
    lines = []
    for target in panel.targets:
        expression = target.expr.replace(WINDOW, f"{WINDOW_S}s")
        expression = expression.replace(RANGE, f"{run.span.end - run.span.start:.0f}s")
        for found in watching.over(expression, run.span):
            legend = target.legend_format
            for label, value in found.metric.items():
                legend = legend.replace(f"{{{{{label}}}}}", value)
            own = legend or " ".join(value for _, value in sorted(found.metric.items()))
            points = [(at - run.span.start, float(value)) for at, value in found.values]
            lines.append(Drawn(own, [point for point in points if point[1] == point[1]]))
    assert panel.field_config
    shown = panel.field_config.defaults
    return Picture(panel.title, panel.type, shown.unit, shown.decimals, panel.grid_pos, lines)


if __name__ == "__main__":
    sys.exit(main())
