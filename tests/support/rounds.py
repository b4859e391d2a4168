"""A count of the event loop's iterations, and so of other tasks' turns."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass


@dataclass
class Rounds:
    count: int = 0


@asynccontextmanager
async def counted() -> AsyncIterator[Rounds]:
    """Count the event loop's iterations until the block ends."""
    rounds = Rounds()

    async def count() -> None:
        while True:
            await asyncio.sleep(0)
            rounds.count += 1

    counting = asyncio.create_task(count())
    try:
        yield rounds
    finally:
        counting.cancel()
