"""How often the event loop goes round, and so how often others have their turn."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass


@dataclass
class Rounds:
    count: int = 0


@asynccontextmanager
async def counted() -> AsyncIterator[Rounds]:
    """Count the rounds of the event loop until the block ends."""
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
