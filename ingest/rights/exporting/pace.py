"""Bounds the rows that an export reads in a second, so that ingestion has the rest of the machine."""

import asyncio
import time


class Pace:
    """Waits until the rows that were read are due."""

    def __init__(self, rows_per_second: int) -> None:
        self._rows_per_second = rows_per_second
        self._due_s = time.monotonic()

    async def rows(self, count: int) -> None:
        """Wait as long as some rows may take; time that was lost is not made up for."""
        now_s = time.monotonic()
        self._due_s = max(self._due_s, now_s - 1) + count / self._rows_per_second
        await asyncio.sleep(max(self._due_s - now_s, 0))
