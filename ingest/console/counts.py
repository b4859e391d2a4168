"""Counts views of pages by day, in memory until they are stored: no person, no tenant, no address."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime

from ingest.errors import Unavailable

FLUSH_S = 60.0
DAYS_MAX = 3  # Of counts that wait for a database that is away; later views are not counted.
Store = Callable[[dict[tuple[date, str], int]], Awaitable[None]]


class PageCounts:
    """The views since the last flush; `is_on` is the setting."""

    def __init__(self, store: Store, *, is_on: bool) -> None:
        self._store = store
        self.is_on = is_on
        self._views: Counter[tuple[date, str]] = Counter()

    def add(self, page: str) -> None:
        """Count a view of a page."""
        today = datetime.now(UTC).date()
        if self.is_on and (len({day for day, _ in self._views} | {today}) <= DAYS_MAX):
            self._views[today, page] += 1

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
