"""Bounds the share of the time that an erasure works, so that ingestion has the rest of the time."""

import asyncio
import time

_REST_S_MAX = 5.0  # After a slice that took long, most often because the database was busy.


class Throttle:
    """Rests after each slice for as long as the share demands."""

    def __init__(self, percent: int) -> None:
        self._rest_per_work = (100 - percent) / percent
        self._began = time.monotonic()

    async def rest(self) -> None:
        """Rest in proportion to the time since the last rest."""
        worked_s = time.monotonic() - self._began
        await asyncio.sleep(min(worked_s * self._rest_per_work, _REST_S_MAX))
        self._began = time.monotonic()
