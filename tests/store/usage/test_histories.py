"""Random histories: after every roll-up the sums of all grains are those of an independent slow sum over the rows."""

import os
import random
from contextlib import AsyncExitStack

import pytest

from ingest.store import connections
from tests.support.cluster import operator
from tests.support.history import History

# `make usage-histories` asks for a hundred times as many.
_HISTORIES = 3 * int(os.environ.get("FUZZ_SCALE", "1"))
_STEPS = 40


@pytest.mark.parametrize("seed", range(_HISTORIES))
async def test_whatever_happens_sums_are_those_of_the_rows(database: str, seed: int) -> None:
    dsn = database
    async with AsyncExitStack() as stack:
        writers = [await stack.enter_async_context(connections.connected(dsn, "nocontent_writer")) for _ in range(3)]
        owner = await stack.enter_async_context(operator(dsn))
        biller = await stack.enter_async_context(connections.connected(dsn, "nocontent_biller"))
        history = History(dsn, random.Random(seed), writers, owner, biller)
        for _ in range(_STEPS):
            await history.step()
        while history.open:
            await history.end()
        await history.check()
