"""`python -m tests.observe`: start the service and a real Prometheus, send a load of every kind with a database that
pauses, run the alerts' tests, and draw both dashboards from Prometheus's responses."""  # noqa: D205, D209

# ruff: noqa: T201 (talks to a person at a terminal)

import argparse
import asyncio
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

from tqdm import tqdm

from k8s.generate.alerts import RULES
from tests.observe import install, prometheus, rules, sheets
from tests.observe.install import CannotGet, Programs
from tests.observe.load import TENANTS, Load
from tests.observe.prometheus import Span
from tests.observe.sheets import WINDOW_S
from tests.soak.stage import Stage, staged
from tests.support import postmaster
from tests.support.service import ROOT

PICTURES = ROOT / "docs/img"
WORKERS = 2
SEED = 6
_DRAWING = ROOT / ".venv-bench/bin/python"
_FIRED = 'ALERTS{alertstate="firing"}'


def main(argv: Sequence[str] | None = None) -> int:
    """Run everything, and return 0 if every alert's tests pass and both pictures are written."""
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
    ended = subprocess.run([_DRAWING, "-m", "tests.observe.draw", sheets.FOLDER, PICTURES], check=False)
    print(f"{len(RULES) - len(failing)} of {len(RULES)} alerts green")
    return int(bool(failing or finds or ended.returncode))


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.observe", description=__doc__)
    parser.add_argument("--seconds", type=int, default=160, help="of load (default: 160)")
    parser.add_argument("--pause", type=int, default=68, help="of these the database is silent (default: 68)")
    return parser.parse_args(argv)


async def _observe(programs: Programs, args: argparse.Namespace) -> list[str]:
    """Run the load under a Prometheus, and return the faults."""
    settings = {"max_connections": "60"}
    async with staged(TENANTS, WORKERS, settings, is_proxied=False) as stage:
        return await asyncio.to_thread(_watch, programs, stage, args)


def _watch(programs: Programs, stage: Stage, args: argparse.Namespace) -> list[str]:
    load = Load(stage.server.bind, stage.customers, SEED)
    folder = stage.server.log.parent / "prometheus"
    folder.mkdir()
    with prometheus.scraping(programs.prometheus, stage.server.metrics_bind, folder) as watching:
        time.sleep(WINDOW_S)  # So that there is a rate from the first second on.
        span, paused = _play(load, stage, args)
        sheets.write(watching, span, paused)
        fired = sorted({found.metric["alertname"] for found in watching.over(_FIRED, span)})
        everything = str(watching.at_once('{__name__=~".+"}'))
    print(f"answers: {', '.join(f'{count:,} of {status}' for status, count in sorted(load.answers.items()))}")
    print(f"fired during the run: {', '.join(fired) or 'none'}")
    seen = everything + stage.server.log.read_text("utf-8", "replace")
    return [f"a canary in a metric or a log line: {canary[:6]}…" for canary in load.canaries if canary in seen]


def _play(load: Load, stage: Stage, args: argparse.Namespace) -> tuple[Span, tuple[float, float]]:
    """Send a load, pause the database in the middle, and return the span and the pause's seconds in it."""
    before_s = (args.seconds - args.pause) * 0.6
    began = time.time()
    with load.flowing(), tqdm(total=args.seconds, unit="s", disable=not sys.stderr.isatty()) as bar:
        _wait(bar.update, before_s)
        paused = time.time()
        with postmaster.frozen(stage.postmaster):
            _wait(bar.update, args.pause)
        resumed = time.time()
        _wait(bar.update, args.seconds - args.pause - before_s)
    return Span(began, time.time()), (paused - began, resumed - began)


def _wait(tick: Callable[[], object], seconds: float) -> None:
    for _ in range(round(seconds)):
        time.sleep(1)
        tick()


if __name__ == "__main__":
    sys.exit(main())
