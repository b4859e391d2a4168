"""The connection to PostgreSQL is cut at any byte of a flush: acknowledged events are stored, and none twice."""

import pytest

from schema.receipt import Receipt
from tests.faults.proxy import Blow, Trap, Way, proxied
from tests.support import sample
from tests.support.cluster import operator
from tests.support.entries import acknowledged, count, entry, outcome, writing

BYTES_MAX = {Way.TO_DATABASE: 3_000, Way.TO_SERVICE: 600}
STEP_BYTES = 7  # Of every message some byte: the shortest, COMMIT, has twelve.


@pytest.mark.parametrize("blow", [Blow.CUT, Blow.RESET])
@pytest.mark.parametrize("way", Way)
async def test_a_flush_that_is_cut_anywhere_loses_and_doubles_nothing(database: str, way: Way, blow: Blow) -> None:
    sent = 0
    was_sprung = True
    async with proxied(database) as proxy, writing(proxy.dsn) as queue:
        for at_bytes in range(1, BYTES_MAX[way], STEP_BYTES):
            batch = entry(sample.event(), sample.event())
            sent += 2
            proxy.set(Trap(way, blow, at_bytes))
            first = await outcome(queue.put(batch))
            if isinstance(first, Receipt):
                assert await count(database) == sent, at_bytes
            was_sprung = proxy.sprung.is_set()
            proxy.set(None)
            again = await acknowledged(queue, batch)
            assert again.accepted + again.duplicates == 2
            assert await count(database) == sent, at_bytes
            if not was_sprung:
                break
    assert not was_sprung, "no byte was left to cut at"
    async with operator(database) as connection:
        assert await connection.fetchval("SELECT sum(accepted) FROM batches") == sent
