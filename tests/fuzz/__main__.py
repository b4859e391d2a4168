"""`python -m tests.fuzz`: send generated bodies to a real service, compare each response with a plain implementation of
the contract, and then search the log, the metrics and the database for every planted text."""  # noqa: D205, D209

import argparse
import asyncio
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from ingest.prove import search
from ingest.prove.client import address
from schema.decode import Window
from schema.limits import AHEAD_MS_MAX
from tests.fuzz import bodies
from tests.fuzz.bodies import CANARIES, CANARY, Made
from tests.fuzz.oracle import accepts
from tests.soak.vitals import Workers
from tests.support import cluster, customers, sample, service
from tests.support.connection import Connection, post
from tests.support.counts import listed
from tests.support.service import Server
from tests.support.wire import Answer

CONNECTIONS = 8
FINDS_MAX = 20
RSS_GROWTH_MAX = 1.2  # Of a worker, from after the first tenth of the bodies to the end.
EDGE_MS = 60_000  # So near to the edge of the window, sending takes long enough to decide.


@dataclass
class Tally:
    """The results of fuzzing."""

    sent: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    changes: Counter[str] = field(default_factory=Counter)
    finds: list[str] = field(default_factory=list)
    rss_bytes: list[int] = field(default_factory=list)


def main() -> int:
    """Fuzz, and return 0 if nothing was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--bodies", type=int, default=200_000, help="to make at most (default: 200000)")
    parser.add_argument("--seconds", type=float, default=600, help="to go on at most (default: 600)")
    parser.add_argument("--seed", type=int, default=None, help="of a run to repeat (default: a new one)")
    parser.add_argument("--keep", type=Path, default=Path("fuzz-finds"), help="folder for bodies that found something")
    args = parser.parse_args()
    seed = args.seed if args.seed is not None else random.SystemRandom().getrandbits(32)
    print(f"seed {seed}")
    with cluster.started() as postgres, cluster.open_folder() as folder:
        dsn = postgres.migrated()
        token = customers.prepare(dsn)["main"].token
        log = folder / "serve.log"
        with service.serving(dsn, log) as server:
            tally = asyncio.run(_fuzz(server, token, args, random.Random(seed)))
            tally.finds += asyncio.run(_search(server))
    _report(tally)
    return 1 if tally.finds else 0


async def _fuzz(server: Server, token: str, args: argparse.Namespace, chance: random.Random) -> Tally:
    tally = Tally()
    ends_at = time.monotonic() + args.seconds
    workers = Workers(server)
    with tqdm(total=args.bodies, unit="body", disable=not sys.stderr.isatty()) as bar:

        async def sender() -> None:
            connection = Connection(server.bind)
            while tally.sent < args.bodies and time.monotonic() < ends_at and len(tally.finds) < FINDS_MAX:
                tally.sent += 1
                if tally.sent % max(1, args.bodies // 100) == 0:
                    tally.rss_bytes.append(workers.look())
                made = bodies.make(chance)
                (answer,) = await connection.exchange(post(token, made.body))
                for find in _finds(made, answer):
                    tally.finds.append(f"{made.did}: {find}: {_kept(made, args.keep, tally.sent)}")
                tally.answers[str(answer.status)] += 1
                tally.changes[made.did] += 1
                bar.update()
            connection.close()

        await asyncio.gather(*[sender() for _ in range(CONNECTIONS)])
    if len(tally.rss_bytes) > 20 and max(tally.rss_bytes[10:]) > RSS_GROWTH_MAX * tally.rss_bytes[10]:
        tally.finds.append(f"memory grew from {tally.rss_bytes[10]:,} to {max(tally.rss_bytes):,} bytes")
    return tally


def _finds(made: Made, answer: Answer) -> list[str]:
    """Compare a response with the oracle, with its clock a minute behind and ahead."""
    now_ms, status = sample.now_ms(), answer.status
    oldest_ms = now_ms - cluster.RETENTION_DAYS * sample.DAY_MS
    wide = accepts(made.body, Window(oldest_ms - EDGE_MS, now_ms + AHEAD_MS_MAX + EDGE_MS))
    narrow = accepts(made.body, Window(oldest_ms + EDGE_MS, now_ms + AHEAD_MS_MAX - EDGE_MS))
    finds = []
    if status not in {200, 400, 409, 413, 422}:
        finds.append(f"status {status}")
    if wide == narrow and (status in {200, 409}) != wide:
        finds.append(f"status {status}, and the plain reading says {'accept' if wide else 'refuse'}")
    if CANARY in repr(answer).lower():
        finds.append("the answer has a planted text")
    return finds


async def _search(server: Server) -> list[str]:
    """Look for planted texts everywhere a service may leave them."""
    found = [
        search.in_files("logs", CANARIES, [server.log], lambda: None),
        *await search.in_metrics(CANARIES, address(f"http://{server.metrics_bind}"), "/metrics"),
        *await search.in_database(CANARIES, server.dsn, lambda: None),
    ]
    return [f"{place.place}: {where} has a planted text" for place in found for where, _ in place.finds]


def _kept(made: Made, folder: Path, number: int) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{number:07}.json"
    path.write_bytes(made.body)
    return path


def _report(tally: Tally) -> None:
    print(f"answers: {listed(tally.answers)}")
    print("changes: " + ", ".join(f"{did} {count:,}" for did, count in tally.changes.most_common()))
    if tally.rss_bytes:
        print(f"memory of the workers: {tally.rss_bytes[0]:,} bytes at first, {tally.rss_bytes[-1]:,} at the end")
    for find in tally.finds:
        print(f"FOUND {find}")
    worse = sum(count for status, count in tally.answers.items() if status >= "500")
    print(f"{tally.sent:,} bodies, {len(tally.finds)} finds, {worse} answers of 500 and more")


if __name__ == "__main__":
    sys.exit(main())
