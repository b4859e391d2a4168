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
CALLED_MAX = 16  # Of a tenant at once: who is slow with its body holds up its own tenant at most.


class Admission:
    """`has_room` tells whether so many more batches of a tenant have room."""

    def __init__(self, has_room: Callable[[int, int], bool]) -> None:
        self._has_room = has_room
        self._waiting: dict[int, deque[asyncio.Future[None]]] = {}
        self._called: Counter[int] = Counter()

    def __contains__(self, tenant_id: int) -> bool:
        return tenant_id in self._waiting

    @asynccontextmanager
    async def called(self, tenant_id: int) -> AsyncIterator[None]:
        """Stand in line until called, and count as called in the block; raises Overloaded after a while, Stopping."""
        call: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(tenant_id, deque()).append(call)
        try:
            try:
                async with asyncio.timeout(WAIT_S):
                    await call
            except TimeoutError:
                raise Overloaded from None
            yield
        finally:
            self._leave(tenant_id, call)

    def call_next(self, tenant_id: int) -> None:
        """Call, as far as there is room for all who were."""
        line = self._waiting.get(tenant_id, deque())
        while line and self._called[tenant_id] < CALLED_MAX and self._has_room(tenant_id, self._called[tenant_id] + 1):
            call = line.popleft()
            if not call.done():
                call.set_result(None)
                self._called[tenant_id] += 1
        if not line:
            self._waiting.pop(tenant_id, None)

    def call_all(self) -> None:
        """Call of all tenants: what one has left may be another's room."""
        for tenant_id in list(self._waiting):
            self.call_next(tenant_id)

    def close(self) -> None:
        """Send everyone away."""
        for line in self._waiting.values():
            for call in line:
                if not call.done():
                    call.set_exception(Stopping())

    def _leave(self, tenant_id: int, call: asyncio.Future[None]) -> None:
        if call.done() and not call.cancelled() and call.exception() is None:
            self._called[tenant_id] -= 1
        elif call in (line := self._waiting.get(tenant_id, deque())):
            line.remove(call)
        if not self._called[tenant_id]:
            del self._called[tenant_id]
        self.call_next(tenant_id)
