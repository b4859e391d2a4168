"""`python -m bench.console`: pages of a tenant with 50 million events a year, and ingestion beside 50 viewers.

A year of rollups is inserted as it is, without the events. Times are those of a browser on the same machine: from the
request to the last byte.
"""

import argparse
import asyncio
import contextlib
import gzip
import re
import shlex
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import asyncpg
from playwright.sync_api import sync_playwright
from tqdm import tqdm

from bench import accounts, child, cluster, machine, results, year
from bench.bodies import Plan
from bench.child import Tally
from bench.cluster import Cluster, Stage
from bench.results import ROOT, PageTimes, Viewing
from bench.scenario import Scenario
from bench.systems import Target, serving
from bench.workload import TAGS
from ingest.accounts.passwords import Passwords
from ingest.store import connections
from ingest.store.accounts.people import NewPerson
from tests.support import browser, console
from tests.support.console import Console, Visitor

LARGEST, SENDER = 1, 2  # Tenants: that of the year, and the one whose events come in beside its viewers.
EMAIL = "owner@example.com"
SETTINGS = cluster.SETTINGS | {"autovacuum": "on"}
PAGES = {
    "overview, 30 days": "/overview",
    "its chart": "/overview/series?range=30d",
    "overview, 7 days": "/overview?range=7d",
    "overview, 12 months": "/overview?range=12m",
    "usage by model, 30 days": "/usage",
    "usage by category, 24 hours": "/usage?by=category&range=24h",
    "usage by category, 30 days": "/usage?by=category",
    "routing, 7 days": "/routing",
    "routing, 30 days": "/routing?range=30d",
}
VIEWED = [path for path in PAGES.values() if "12m" not in path and "by=category" not in path]
_PARTS = re.compile(r'(?:href|src|data-library|data-style|data-src)="(/(?:static|overview/series)[^"]*)"')
_INTERACTIVE = "performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"


def main() -> int:
    """Fill, measure pages, their bytes and ingestion beside viewers; write console.json and print the table."""
    args = _arguments()
    with cluster.started(args.data_dir, SETTINGS) as running, tempfile.TemporaryDirectory() as made:
        provenance = machine.look(running)
        dsn = running.migrated("console")
        tokens = accounts.enroll(dsn, SENDER, TAGS)
        rows = asyncio.run(_fill(dsn, args.events))
        with console.serving(dsn, Path(made)) as served, contextlib.closing(Visitor(served)) as visitor:
            visitor.sign_in(f"tenant-{LARGEST}", EMAIL)
            pages = [_times(visitor, name, path, args.requests) for name, path in PAGES.items()]
            first = _first_view_bytes(visitor)
            interactive = _interactive_ms(served) if browser.find() else None
            stage = Stage(dsn, tokens[SENDER - 1 :], TAGS, keeps_rows=True)
            alone, beside = _ingestion(running, stage, served, visitor, args)
    found = Viewing(
        provenance=provenance, command=shlex.join(["python", "-m", "bench.console", *sys.argv[1:]]), events=args.events,
        rows=rows, pages=pages, first_view_bytes=first, interactive_ms=interactive, viewers=args.viewers,
        every_s=args.every, alone=alone, beside=beside,
    )  # fmt: skip
    results.write("console", found)
    print("\n".join(_lines(found)))
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.console", description=__doc__)
    parser.add_argument("--events", type=int, default=year.EVENTS, help="of the year (default: 50 million)")
    parser.add_argument("--requests", type=int, default=200, help="of each page (default: 200)")
    parser.add_argument("--viewers", type=int, default=50, help="beside ingestion (default: 50)")
    parser.add_argument("--every", type=float, default=20.0, help="seconds between a viewer's pages (default: 20)")
    parser.add_argument("--rate", type=int, default=20_000, help="events a second to offer (default: 20,000; 0: all)")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each measurement (default: 20)")
    parser.add_argument("--rounds", type=int, default=3, help="of ingestion alone and beside viewers (default: 3)")
    parser.add_argument("--data-dir", type=Path, default=ROOT / ".bench", help="folder for PostgreSQL's data")
    return parser.parse_args()


async def _fill(dsn: str, events: int) -> int:
    connection = await asyncpg.connect(dsn)
    try:
        rows = await year.fill(connection, LARGEST, events)
    finally:
        await connection.close()
    passwords = Passwords()
    hashed = await passwords.hash(console.PASSWORD)
    passwords.close()
    async with connections.connected(dsn, "nocontent_control") as control:
        await console.add(dsn, control, LARGEST, NewPerson(EMAIL, "The owner", "owner"), hashed)
    return rows


def _times(visitor: Visitor, name: str, path: str, requests: int) -> PageTimes:
    spent_ms, size = [], 0
    for _ in tqdm(range(requests), desc=name, disable=not sys.stderr.isatty()):
        began = time.perf_counter()
        answer = visitor.get(path, {"Accept-Encoding": "gzip"})
        spent_ms.append((time.perf_counter() - began) * 1e3)
        assert answer.status == 200, f"{path}: {answer.status}"
        size = len(answer.body)
    cuts = statistics.quantiles(spent_ms, n=20)
    return PageTimes(page=name, first_ms=spent_ms[0], p50_ms=statistics.median(spent_ms), p95_ms=cuts[-1], bytes=size)


def _first_view_bytes(visitor: Visitor) -> int:
    """Return the bytes of the overview with all that a browser loads for it, bodies and headers."""
    page = visitor.get("/overview", {"Accept-Encoding": "gzip"})
    is_gzip = page.headers.get("content-encoding") == "gzip"
    text = (gzip.decompress(page.body) if is_gzip else page.body).decode()
    paths = {path.replace("&amp;", "&") for path in _PARTS.findall(text)}
    answers = [page, *(visitor.get(path, {"Accept-Encoding": "gzip"}) for path in paths)]
    assert all(answer.status == 200 for answer in answers)
    heads = sum(len(name) + len(value) + 4 for answer in answers for name, value in answer.headers.items())
    return heads + sum(len(answer.body) for answer in answers)


def _interactive_ms(served: Console) -> float:
    """Return the median time until Chromium has loaded the overview and run its scripts, with an empty cache."""
    spent = []
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=browser.find(), args=["--no-sandbox"])
        signed_in = chromium.new_context()
        page = signed_in.new_page()
        page.goto(f"{served.origin}/sign-in")
        for name, value in (("organisation", f"tenant-{LARGEST}"), ("email", EMAIL), ("password", console.PASSWORD)):
            page.fill(f"[name={name}]", value)
        page.click("main button")
        page.wait_for_url("**/overview")
        for _ in range(5):
            context = chromium.new_context(storage_state=signed_in.storage_state())
            page = context.new_page()
            page.goto(f"{served.origin}/overview")
            spent.append(float(page.evaluate(_INTERACTIVE)))
            context.close()
        chromium.close()
    return statistics.median(spent)


def _ingestion(
    running: Cluster, stage: Stage, served: Console, visitor: Visitor, args: argparse.Namespace
) -> tuple[results.Stored, results.Stored]:
    """Return what was stored alone and beside viewers, in turns."""
    scenario = Scenario(name="console", events_per_s=args.rate, seconds=args.seconds, jobs=True, cells=300)
    alone: list[Tally] = []
    beside: list[Tally] = []
    with serving(running, stage, scenario, served.log.with_name("serve.log")) as target:
        for _ in range(args.rounds):
            alone.append(_load(stage, target, scenario))
            with _viewers(served, visitor.cookie, args.viewers, args.every):
                beside.append(_load(stage, target, scenario))
    return _stored(alone), _stored(beside)


def _load(stage: Stage, target: Target, scenario: Scenario) -> Tally:
    offered = scenario.events_per_s or scenario.expected_events_s
    plan = Plan(
        scenario=scenario, port=target.port, tokens=list(stage.tokens), tags=stage.tags,
        requests=round(scenario.seconds * offered / scenario.batch_events), seconds=scenario.seconds,
        warm_requests=20, warm_events=scenario.batch_events, warm_seconds=10.0,
    )  # fmt: skip
    with child.started("bench.load", plan) as client:
        client.wait_prepared()
        client.take_turn()
        return client.take_turn()


def _stored(rounds: Sequence[Tally]) -> results.Stored:
    return results.Stored(
        events_s=statistics.median(tally.events / tally.seconds for tally in rounds),
        ack_ms_p50=statistics.median(tally.ack_ms.p50 for tally in rounds),
        ack_ms_p99=statistics.median(tally.ack_ms.p99 for tally in rounds),
    )


@contextlib.contextmanager
def _viewers(served: Console, cookie: str | None, count: int, every_s: float) -> Iterator[None]:
    """Have people look at one page after another, each with a connection of its own, until the block ends."""
    ending = threading.Event()
    failed: list[int] = []

    def look(number: int) -> None:
        with contextlib.closing(Visitor(served)) as visitor:
            visitor.cookie = cookie
            turn = number
            ending.wait(every_s * number / count)
            while not ending.is_set():
                status = visitor.get(VIEWED[turn % len(VIEWED)], {"Accept-Encoding": "gzip"}).status
                failed.extend([status] * (status != 200))
                turn += 1
                ending.wait(every_s)

    threads = [threading.Thread(target=look, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ending.set()
        for thread in threads:
            thread.join()
    assert not failed, f"pages answered {set(failed)}"


def _lines(found: Viewing) -> Iterator[str]:
    yield f"{found.events:,} events a year as {found.rows:,} rows of rollups"
    for page in found.pages:
        yield f"{page.page:30}{page.bytes:>8,} B  p50 {page.p50_ms:7.1f} ms  p95 {page.p95_ms:7.1f} ms"
    yield f"first view {found.first_view_bytes:,} B; interactive after {found.interactive_ms or float('nan'):.0f} ms"
    kinds: Mapping[str, results.Stored] = {"alone": found.alone, f"beside {found.viewers}": found.beside}
    for name, stored in kinds.items():
        times = f"p50 {stored.ack_ms_p50:.1f} ms  p99 {stored.ack_ms_p99:.1f} ms"
        yield f"{name:12}{stored.events_s:>10,.0f} events/s  {times}"
    yield f"ratio {found.beside.events_s / found.alone.events_s:.3f}"


if __name__ == "__main__":
    sys.exit(main())
