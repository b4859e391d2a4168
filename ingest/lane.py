"""One at a time and with rests between: what is worth doing, but not at the cost of everyone else's requests."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

SHARE_MAX = 0.25  # Of the worker's time. A flood of refused bodies waits for its explanations; nobody else does.

Result = TypeVar("Result")


class Lane:
    """First come, first served."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._rested_at = 0.0

    async def run(self, work: Callable[[], Result]) -> Result:
        """Run a function that does not wait for anything, when it is its turn."""
        async with self._turn:
            await asyncio.sleep(max(0.0, self._rested_at - time.perf_counter()))
            started = time.perf_counter()
            try:
                return work()
            finally:
                ended = time.perf_counter()
                self._rested_at = ended + (ended - started) * (1 / SHARE_MAX - 1)
