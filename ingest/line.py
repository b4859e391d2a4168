"""Senders who wait for room in the queue, in a line for each tenant; called when there is room for whatever they send.

A sender whose body is not read yet sends no faster than we store. It hears that there is no room only after a while,
because it would come again no sooner.
"""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from ingest.errors import Overloaded, Stopping

WAIT_S = 1.0
TURNS_MAX = 16  # Of a tenant at once: who is slow with its body holds up others of the tenant at most.


class Line:
    """`has_room` tells whether so many more batches of a tenant have room."""

    def __init__(self, has_room: Callable[[int, int], bool]) -> None:
        self._has_room = has_room
        self._waiting: dict[int, deque[asyncio.Future[None]]] = {}
        self._turns: Counter[int] = Counter()

    def __contains__(self, tenant_id: int) -> bool:
        return tenant_id in self._waiting

    @asynccontextmanager
    async def turn(self, tenant_id: int) -> AsyncIterator[None]:
        """Wait for a turn, which ends with the block; raises Overloaded after a while, and Stopping."""
        called: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(tenant_id, deque()).append(called)
        try:
            try:
                async with asyncio.timeout(WAIT_S):
                    await called
            except TimeoutError:
                raise Overloaded from None
            yield
        finally:
            self._leave(tenant_id, called)

    def call(self, tenant_id: int) -> None:
        """Give turns, as far as there is room for all that have one."""
        line = self._waiting.get(tenant_id, deque())
        while line and self._turns[tenant_id] < TURNS_MAX and self._has_room(tenant_id, self._turns[tenant_id] + 1):
            called = line.popleft()
            if not called.done():
                called.set_result(None)
                self._turns[tenant_id] += 1
        if not line:
            self._waiting.pop(tenant_id, None)

    def call_all(self) -> None:
        """Give turns to all tenants: what one has left may be another's room."""
        for tenant_id in list(self._waiting):
            self.call(tenant_id)

    def close(self) -> None:
        """Send everyone away."""
        for line in self._waiting.values():
            for called in line:
                if not called.done():
                    called.set_exception(Stopping())

    def _leave(self, tenant_id: int, called: asyncio.Future[None]) -> None:
        if called.done() and not called.cancelled() and called.exception() is None:
            self._turns[tenant_id] -= 1
        elif called in (line := self._waiting.get(tenant_id, deque())):
            line.remove(called)
        if not self._turns[tenant_id]:
            del self._turns[tenant_id]
        self.call(tenant_id)
