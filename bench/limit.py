"""The limits: the same rows, made in advance and copied into the same tables, by a process of its own with a plan.

`raw_asyncpg_copy` is the best that Python can do: ledger and rows in one transaction, with as many rows as the service
merges, sorted the same way. `raw_server_copy` is the best that PostgreSQL can do: one COPY from a file on the server.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Iterator
from itertools import islice
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import msgspec
import uvloop
from msgspec import Struct

from bench import child
from bench.child import Tally
from bench.scenario import System
from bench.workload import TAGS, Clock, Template, events
from ingest.store import rows
from schema.decode import Window, decode
from schema.event import Kind
from schema.vocabulary import Vocabulary
from tests.support.gauge import SHIPPED

WAYS: tuple[System, ...] = ("raw_server_copy", "raw_asyncpg_copy")
BATCH_ROWS = 1_000
GROUP_BATCHES = 8  # 8,000 rows per transaction: as many whole batches as a group of the service.
GROUP_ROWS = BATCH_ROWS * GROUP_BATCHES
ROWS_PER_S_MAX = 900_000
WARM_GROUPS = 20
FILE = "bench-rows"  # In the data folder, which PostgreSQL's account can read.
_COLUMNS = ", ".join(rows.COLUMNS)
_LEDGER = """
INSERT INTO nocontent.batches (
    tenant_id, stream_id, sequence, digest, accepted, duplicates, coarsened,
    dropped_queue_full, dropped_retries_exhausted, dropped_refused, dropped_shutdown
)
SELECT tenant_id, stream_id, sequence, digest, events, 0, 0, 0, 0, 0, 0
FROM unnest($1::integer[], $2::uuid[], $3::bigint[], $4::uuid[], $5::integer[])
    AS entry (tenant_id, stream_id, sequence, digest, events)
ON CONFLICT DO NOTHING
RETURNING tenant_id, stream_id, sequence
"""


class Plan(Struct, kw_only=True):
    """The limit to measure, and the file of rows to copy."""

    way: System
    dsn: str
    path: str
    seconds: float


def write_rows(path: Path, seconds: float) -> None:
    """Write enough rows to copy for a time, packed for COPY as the service packs them."""
    groups = WARM_GROUPS + round(seconds * ROWS_PER_S_MAX / GROUP_ROWS)
    templates = [Template(events(BATCH_ROWS, seed)) for seed in range(GROUP_BATCHES)]
    now_ms = time.time_ns() // 1_000_000
    clock = Clock("in-order", groups * GROUP_ROWS, now_ms)
    window = Window.at(now_ms, 1)
    vocabulary = known_vocabulary()
    with path.open("wb") as file:
        file.write(rows.HEADER)
        for _ in range(groups):
            bodies = (b"{%s}" % template.stamp(clock.take(BATCH_ROWS)) for template in templates)
            file.write(rows.merge([rows.encode(decode(body, vocabulary, window), 1) for body in bodies]))
        file.write(rows.TRAILER)
    path.chmod(0o644)


def known_vocabulary() -> Vocabulary:
    """Return a tenant's vocabulary, made without a database."""
    vocabulary = Vocabulary({}, SHIPPED)
    value_id = 8_192
    for key_id, (key, values) in enumerate(TAGS.items(), 16):
        vocabulary.add(Kind.TAG_KEY, 0, key, key_id)
        for value in values:
            vocabulary.add(Kind.TAG_VALUE, key_id, value, value_id)
            value_id += 1
    return vocabulary


class _ServerCopy:
    """One COPY statement from a file on the server."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._rows = (Path(plan.path).stat().st_size - len(rows.HEADER) - len(rows.TRAILER)) // rows.ROW_BYTES

    def warm(self) -> Tally:
        """Do nothing: writing the file put it in the page cache."""
        return _tally(1.0, 0, 0)

    def measure(self) -> Tally:
        return asyncio.run(self._copy())

    async def _copy(self) -> Tally:
        connection = await asyncpg.connect(self._plan.dsn)
        try:
            started = time.perf_counter()
            await connection.execute(f"COPY nocontent.events ({_COLUMNS}) FROM '{FILE}' (FORMAT binary)")
            return _tally(time.perf_counter() - started, self._rows, 1)
        finally:
            await connection.close()


class _AsyncpgCopy:
    """A connection that copies prepared bytes, one transaction after the other."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        with Path(plan.path).open("rb") as file:
            assert file.read(len(rows.HEADER)) == rows.HEADER
            count = Path(plan.path).stat().st_size // (GROUP_ROWS * rows.ROW_BYTES)
            self._groups = iter([file.read(GROUP_ROWS * rows.ROW_BYTES) for _ in range(count)])
        self._loop = uvloop.new_event_loop()
        self._connection = self._loop.run_until_complete(asyncpg.connect(plan.dsn))
        self._streams = [uuid4() for _ in range(GROUP_BATCHES)]
        self._sequence = 0

    def warm(self) -> Tally:
        return self._loop.run_until_complete(self._copy(islice(self._groups, WARM_GROUPS), self._plan.seconds))

    def measure(self) -> Tally:
        return self._loop.run_until_complete(self._copy(self._groups, self._plan.seconds))

    async def _copy(self, groups: Iterator[bytes], seconds: float) -> Tally:
        started = time.perf_counter()
        done = 0
        for group in groups:
            await self._commit(group)
            done += 1
            if time.perf_counter() > started + seconds:
                break
        return _tally(time.perf_counter() - started, done * GROUP_ROWS, done)

    async def _commit(self, group: bytes) -> None:
        self._sequence += 1
        places = range(GROUP_BATCHES)
        digests: list[UUID] = [uuid4() for _ in places]
        sizes = [BATCH_ROWS for _ in places]
        async with self._connection.transaction():
            entered = await self._connection.fetch(
                _LEDGER, [1 for _ in places], self._streams, [self._sequence for _ in places], digests, sizes
            )
            assert len(entered) == GROUP_BATCHES
            await self._connection.copy_to_table(
                "events", schema_name="nocontent", source=_source(group), columns=rows.COLUMNS, format="binary"
            )


async def _source(group: bytes) -> AsyncIterator[bytes]:
    yield rows.HEADER
    yield group
    yield rows.TRAILER


def _tally(seconds: float, done: int, requests: int) -> Tally:
    return Tally(seconds=seconds, events=done, requests=requests, accepted=done)


if __name__ == "__main__":
    _plan = msgspec.json.decode(sys.stdin.readline(), type=Plan)
    child.play(_ServerCopy(_plan) if _plan.way == "raw_server_copy" else _AsyncpgCopy(_plan))
