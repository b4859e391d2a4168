"""Readers wait for readers: while none of them gets an answer, events are stored as always."""

import asyncio
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from tests.support import cluster, sample
from tests.support.customers import Customer
from tests.support.service import Server

READERS = 24
POSTS = 20
SLOW_S = 2.0  # Of a machine that does much else; readers are kept for 3 s and longer.


async def test_events_are_stored_while_readers_wait(server: Server, tenants: Mapping[str, Customer]) -> None:
    def read(_: int) -> str:
        sender = server.sender(tenants["accountant"].token)
        try:
            return sender.get("/v1/usage").problem
        finally:
            sender.close()

    async with cluster.operator(server.dsn) as connection, connection.transaction():
        await connection.execute("LOCK TABLE usage")
        threads = ThreadPoolExecutor(READERS)
        reading = [asyncio.wrap_future(threads.submit(read, number)) for number in range(READERS)]
        await asyncio.sleep(0.2)
        sender = server.sender(tenants["main"].token)
        slowest_s = 0.0
        for _ in range(POSTS):
            began = time.perf_counter()
            answer = await asyncio.to_thread(sender.post, sample.body())
            slowest_s = max(slowest_s, time.perf_counter() - began)
            assert answer.status == 200
        sender.close()
        assert not all(task.done() for task in reading)
        answers = await asyncio.gather(*reading)
        threads.shutdown()
    assert set(answers) == {"read-too-large", "overloaded"}
    assert slowest_s < SLOW_S
