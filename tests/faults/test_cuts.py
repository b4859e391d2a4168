"""The connection to PostgreSQL is cut at any byte of a flush: acknowledged events are stored, and none twice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from ingest.errors import IngestError
from ingest.intake.queue import Queue
from ingest.intake.writer import Writer
from ingest.store.batches import Entry
from schema.receipt import Receipt
from tests.faults.proxy import Blow, Proxy, Trap, Way, proxied
from tests.intake.test_writer import count, entry, outcome
from tests.support import sample
from tests.support.cluster import operator

BYTES_MAX = {Way.TO_DATABASE: 3_000, Way.TO_SERVICE: 600}
STEP_BYTES = 7  # Of every message some byte: the shortest, COMMIT, has twelve.
WAIT_S = 20.0


@asynccontextmanager
async def writing(proxy: Proxy) -> AsyncIterator[Queue]:
    queue = Queue()
    task = asyncio.create_task(Writer(proxy.dsn, queue).run())
    try:
        yield queue
    finally:
        queue.close()
        await asyncio.wait_for(task, WAIT_S)


@pytest.mark.parametrize("blow", [Blow.CUT, Blow.RESET])
@pytest.mark.parametrize("way", Way)
async def test_a_flush_that_is_cut_anywhere_loses_and_doubles_nothing(database: str, way: Way, blow: Blow) -> None:
    sent = 0
    was_sprung = True
    async with proxied(database) as proxy, writing(proxy) as queue:
        for at_bytes in range(1, BYTES_MAX[way], STEP_BYTES):
            batch = entry(sample.event(), sample.event())
            sent += 2
            proxy.set(Trap(way, blow, at_bytes))
            first = await outcome(queue.put(batch))
            if isinstance(first, Receipt):
                assert await count(database) == sent, at_bytes
            was_sprung = proxy.sprung.is_set()
            proxy.set(None)
            again = await _until_answered(queue, batch)
            assert again.accepted + again.duplicates == 2
            assert await count(database) == sent, at_bytes
            if not was_sprung:
                break
    assert not was_sprung, "no byte was left to cut at"
    async with operator(database) as connection:
        assert await connection.fetchval("SELECT sum(accepted) FROM batches") == sent


async def _until_answered(queue: Queue, batch: Entry) -> Receipt:
    async with asyncio.timeout(WAIT_S):
        while True:
            answer = await outcome(queue.put(batch))
            if not isinstance(answer, IngestError):
                return answer
