"""`python -m tests.fuzz`: send generated bodies to a real service, compare each response with a plain implementation of
the contract, and then search the log, the metrics and the database for every planted text."""  # noqa: D205, D209

import argparse
import asyncio
import random
import sys
import time
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from schema.decode import Window
from schema.event import Kind
from schema.limits import AHEAD_MS_MAX
from schema.vocabulary import shipped_terms
from tests.fuzz import bodies
from tests.fuzz.bodies import CANARY, Made
from tests.fuzz.oracle import Words, accepts
from tests.support import cluster, customers, service
from tests.support.service import Server

CONNECTIONS = 8
FINDS_MAX = 20
RSS_GROWTH_MAX = 1.2  # Of a worker, from after the first tenth of the bodies to the end.
EDGE_MS = 60_000  # So near to the edge of the window, sending takes long enough to decide.


@dataclass
class Tally:
    """The results of fuzzing."""

    sent: int = 0
    answers: Counter[int] = field(default_factory=Counter)
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
            _look_for_canaries(server, log, tally)
    _report(tally)
    return 1 if tally.finds else 0


async def _fuzz(server: Server, token: str, args: argparse.Namespace, chance: random.Random) -> Tally:
    tally = Tally()
    ends_at = time.monotonic() + args.seconds
    words = _words()
    with tqdm(total=args.bodies, unit="body", disable=not sys.stderr.isatty()) as bar:

        async def sender() -> None:
            host, _, port = server.bind.rpartition(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            while tally.sent < args.bodies and time.monotonic() < ends_at and len(tally.finds) < FINDS_MAX:
                tally.sent += 1
                if tally.sent % max(1, args.bodies // 100) == 0:
                    tally.rss_bytes.append(sum(_rss_bytes(pid) for pid in server.workers()))
                made = bodies.make(chance)
                status, answer = await _send(reader, writer, token, made.body)
                if _is_last(answer):
                    writer.close()
                    reader, writer = await asyncio.open_connection(host, int(port))
                for find in _finds(made, status, answer, words):
                    tally.finds.append(f"{made.did}: {find}: {_kept(made, args.keep, tally.sent)}")
                tally.answers[status] += 1
                tally.changes[made.did] += 1
                bar.update()
            writer.close()

        await asyncio.gather(*[sender() for _ in range(CONNECTIONS)])
    if len(tally.rss_bytes) > 20 and max(tally.rss_bytes[10:]) > RSS_GROWTH_MAX * tally.rss_bytes[10]:
        tally.finds.append(f"memory grew from {tally.rss_bytes[10]:,} to {max(tally.rss_bytes):,} bytes")
    return tally


async def _send(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, token: str, body: bytes
) -> tuple[int, bytes]:
    head = (
        f"POST /v1/events HTTP/1.1\r\nHost: fuzz\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode() + body)
    answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)
    length = next(int(line[15:]) for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    return int(answer[9:12]), answer + await reader.readexactly(length)


def _is_last(answer: bytes) -> bool:
    """Return whether the service closes the connection: after an unread body, or in favour of another worker."""
    return b"\r\nconnection: close\r\n" in answer.lower().partition(b"\r\n\r\n")[0] + b"\r\n"


def _finds(made: Made, status: int, answer: bytes, words: Words) -> list[str]:
    """Compare a response with the oracle, with its clock a minute behind and ahead."""
    now_ms = time.time_ns() // 1_000_000
    oldest_ms = now_ms - cluster.RETENTION_DAYS * 86_400_000
    wide = accepts(made.body, words, Window(oldest_ms - EDGE_MS, now_ms + AHEAD_MS_MAX + EDGE_MS))
    narrow = accepts(made.body, words, Window(oldest_ms + EDGE_MS, now_ms + AHEAD_MS_MAX - EDGE_MS))
    finds = []
    if status not in {200, 400, 409, 413, 422}:
        finds.append(f"status {status}")
    if wide == narrow and (status in {200, 409}) != wide:
        finds.append(f"status {status}, and the plain reading says {'accept' if wide else 'refuse'}")
    if CANARY.encode() in answer.lower():
        finds.append("the answer has a planted text")
    return finds


def _kept(made: Made, folder: Path, number: int) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{number:07}.json"
    path.write_bytes(made.body)
    return path


def _words() -> Words:
    return Words(
        frozenset(shipped_terms(Kind.TASK_CATEGORY)),
        frozenset(shipped_terms(Kind.PROVIDER)),
        frozenset(shipped_terms(Kind.MODEL)),
        {key: frozenset(values) for key, values in customers.TAGS.items()},
    )


def _look_for_canaries(server: Server, log: Path, tally: Tally) -> None:
    marks = CANARY.encode()
    if marks in log.read_bytes().lower():
        tally.finds.append("the log has a planted text")
    with urllib.request.urlopen(f"http://{server.metrics_bind}/metrics", timeout=10) as metrics:
        if marks in metrics.read().lower():
            tally.finds.append("the metrics have a planted text")
    columns = cluster.fetch(
        server.dsn,
        "SELECT table_name, column_name FROM information_schema.columns JOIN information_schema.tables"
        " USING (table_schema, table_name) WHERE table_schema = 'nocontent' AND table_type = 'BASE TABLE'"
        " AND data_type IN ('text', 'ARRAY', 'bytea')",
    )
    assert columns
    for table, column in columns:
        query = f"SELECT count(*) FROM {table} WHERE {column}::text ILIKE '%{CANARY}%'"
        if cluster.fetch(server.dsn, query)[0][0]:
            tally.finds.append(f"{table}.{column} has a planted text")


def _rss_bytes(pid: int) -> int:
    pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    return int(pages) * 4_096


def _report(tally: Tally) -> None:
    print("answers: " + ", ".join(f"{status} {count:,}" for status, count in sorted(tally.answers.items())))
    print("changes: " + ", ".join(f"{did} {count:,}" for did, count in tally.changes.most_common()))
    if tally.rss_bytes:
        print(f"memory of the workers: {tally.rss_bytes[0]:,} bytes at first, {tally.rss_bytes[-1]:,} at the end")
    for find in tally.finds:
        print(f"FOUND {find}")
    worse = sum(count for status, count in tally.answers.items() if status >= 500)
    print(f"{tally.sent:,} bodies, {len(tally.finds)} finds, {worse} answers of 500 and more")


if __name__ == "__main__":
    sys.exit(main())
