"""Counts by day, in memory until they are stored: views of pages, of no person, no tenant and no address."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from typing import Generic, TypeVar

from ingest.errors import Unavailable

Key = TypeVar("Key")
FLUSH_S = 60.0
DAYS_MAX = 3  # Of counts that wait for a database that is away; later views are not counted.


class DayCounts(Generic[Key]):
    """The views since the last flush by a key of a closed list; `is_on` is the setting."""

    def __init__(self, store: Callable[[dict[tuple[date, Key], int]], Awaitable[None]], *, is_on: bool) -> None:
        self._store = store
        self.is_on = is_on
        self._views: Counter[tuple[date, Key]] = Counter()

    def add(self, key: Key) -> None:
        """Count a view."""
        today = datetime.now(UTC).date()
        if self.is_on and (len({day for day, _ in self._views} | {today}) <= DAYS_MAX):
            self._views[today, key] += 1

    async def run(self) -> None:
        """Store what was counted once a minute, until cancelled."""
        while True:
            await asyncio.sleep(FLUSH_S)
            await self.flush()

    async def flush(self) -> None:
        """Store what was counted, or keep it until the database answers again."""
        views, self._views = self._views, Counter()
        if not views:
            return
        try:
            await self._store(dict(views))
        except Unavailable:
            self._views += views


PageCounts = DayCounts[str]  # By the name of the page.
