"""Counts views of public pages in memory, and stores them once a minute: page and site, never both together."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date

from ingest.console.counts import FLUSH_S, DayCounts
from ingest.console.site import lists

Store = Callable[[dict[tuple[date, int], int]], Awaitable[None]]


class SiteCounts:
    """The views since the last flush. Both lists are closed, so there are no more counts than numbers on them."""

    def __init__(self, store_pages: Store, store_referrers: Store, *, origin: str, is_on: bool) -> None:
        self._pages = DayCounts[int](store_pages, is_on=is_on)
        self._referrers = DayCounts[int](store_referrers, is_on=is_on)
        self._own_host = lists.host_of(origin)

    def add(self, page: str, referrer: str) -> None:
        """Count a view of a page; of the Referer header only the host is read, and only its number kept."""
        self._pages.add(lists.page_number(page))
        self._referrers.add(lists.referrer_number(referrer, self._own_host))

    async def run(self) -> None:
        """Store what was counted once a minute, until cancelled."""
        while True:
            await asyncio.sleep(FLUSH_S)
            await self.flush()

    async def flush(self) -> None:
        """Store what was counted, or keep it until the database answers again."""
        await self._pages.flush()
        await self._referrers.flush()
