"""`python -m tests.faults`: kill proxies, the service and PostgreSQL at random moments under load, have them restarted,
and then compare every row with every response. The last line says what was lost and what was stored twice."""  # noqa: D205, D209

# ruff: noqa: T201 (talks to a person at a terminal)

import argparse
import asyncio
import contextlib
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from tests.faults import checker, report
from tests.faults.checker import Verdict
from tests.faults.deployment import Deployment
from tests.faults.killer import KINDS, Killer
from tests.faults.load import Load
from tests.faults.proxies import Plan, Proxies
from tests.support import cluster, customers
from tests.support.customers import CustomerSpec
from tests.support.service import ROOT, wait_until

TENANTS = ("north", "south")
REPORTING = "west"  # The tenant of the proxies: their reporters make batches of their own.
SHARES = 60  # A proxy reports so small a part of what the clients send at most.
ACKNOWLEDGED_PER_KILL_MIN = 500  # Less proves nothing.
KILLS_PER_LINE = 20
_BACKENDS = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'nocontent-%'"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the kills, and return 0 if nothing was lost, doubled or otherwise wrong."""
    args = _parse(argv)
    seed = args.seed if args.seed is not None else random.SystemRandom().getrandbits(32)
    print(f"seed {seed}", flush=True)
    deployment = Deployment(args.checkout.resolve(), args.workers)
    with contextlib.ExitStack() as undo:
        undo.callback(print, f"kept {deployment.folder}") if args.keep else undo.callback(deployment.remove)
        undo.callback(deployment.close)
        deployment.prepare()
        tenants = customers.prepare(deployment.dsn, dict.fromkeys((*TENANTS, REPORTING), CustomerSpec()))
        load = Load(deployment.bind, [tenants[name] for name in TENANTS], args.clients, args.rate, seed)
        proxies = Proxies(deployment, load.notebook, tenants[REPORTING], Plan(args.proxies, args.rate / SHARES, seed))
        killer = Killer(deployment, load, random.Random(seed))
        seconds = _run(killer, proxies, args)
        verdict = _check(deployment, load)
        _note_faults(killer, verdict)
        print("\n".join(report.table(killer, verdict, proxies.starts, seconds)))
    kills = killer.struck.total()
    print(f"{kills:,} kills, {verdict.acknowledged:,} acknowledged, {verdict.lost:,} lost, {verdict.doubled:,} doubled")
    return 1 if load.notebook.finds else 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="how often to kill (default: 200)")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS), metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("--seconds", type=float, default=3_600, help="to go on at most (default: 3600)")
    parser.add_argument("--seed", type=int, default=None, help="of a run to repeat (default: a new one)")
    parser.add_argument("--clients", type=int, default=6, help="that send at the same time (default: 6)")
    parser.add_argument("--proxies", type=int, default=2, help="that report through a spool beside them (default: 2)")
    parser.add_argument("--workers", type=int, default=2, help="of the service (default: 2)")
    parser.add_argument("--rate", type=float, default=60_000, help="events a second at most (default: 60000)")
    parser.add_argument("--checkout", type=Path, default=ROOT, help="to serve from (default: this one)")
    parser.add_argument("--keep", action="store_true", help="leave PostgreSQL's data and the service's log")
    return parser.parse_args(argv)


def _run(killer: Killer, proxies: Proxies, args: argparse.Namespace) -> float:
    """Run the load, the proxies and the killer, and return the seconds taken."""
    began = time.monotonic()
    load = killer.load
    load.start()
    proxies.start()
    try:
        with tqdm(total=args.kills, unit="kill", disable=not sys.stderr.isatty()) as bar:
            for done, _ in enumerate(killer.run(args.kills, args.kinds, began + args.seconds), 1):
                bar.update()
                if bar.disable and done % KILLS_PER_LINE == 0:
                    print(f"{done:,} of {args.kills:,} kills, {load.notebook.acknowledged:,} acknowledged", flush=True)
    finally:
        load.end()
        proxies.end()
    return time.monotonic() - began


def _check(deployment: Deployment, load: Load) -> Verdict:
    """Stop the service, so that nothing is in flight, and check everything."""
    deployment.mend()
    deployment.server.process.terminate()
    if (status := deployment.service_status()) != 0:
        load.notebook.find(f"SIGTERM after the run ended the service with {status}")
    if (statuses := deployment.finish_jobs()) != (0, 0):
        load.notebook.find(f"SIGTERM ended the jobs with {statuses[0]}, and once more they ended with {statuses[1]}")
    wait_until(lambda: not cluster.fetch(deployment.dsn, _BACKENDS))

    async def look() -> Verdict:
        async with cluster.operator(deployment.dsn) as connection:
            return await checker.check(connection, load.notebook)

    return asyncio.run(look())


def _note_faults(killer: Killer, verdict: Verdict) -> None:
    """Record a find for each fault."""
    notebook = killer.load.notebook
    for name, count in verdict.faults().items():
        notebook.finds[name] += count
    for what, count in report.complaints(killer.deployment.log).items():
        if what.startswith("bug"):
            notebook.finds[what] += count
    least = ACKNOWLEDGED_PER_KILL_MIN * killer.struck.total()
    if verdict.acknowledged < least:
        notebook.find(f"{verdict.acknowledged:,} acknowledged, fewer than {least:,}: it hardly worked")


if __name__ == "__main__":
    sys.exit(main())
