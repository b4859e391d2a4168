"""A semaphore that is fair between tenants: they take turns, however much each of them asks for."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class TooManyWaiters(Exception):
    """The tenant has as many requests waiting as it may."""


class FairSemaphore:
    """Round robin over tenants, first in first out within each; a tenant has at most `share` of the permits at once."""

    def __init__(self, permits: int, share: int, waiting_max: int) -> None:
        assert 0 < share <= permits
        self._free = permits
        self._share = share
        self._waiting_max = waiting_max
        self._held: Counter[int] = Counter()
        self._waiting: dict[int, deque[asyncio.Future[None]]] = {}  # The tenant whose turn is next stands first.

    @asynccontextmanager
    async def turn(self, tenant_id: int) -> AsyncIterator[None]:
        """Hold a permit in the block; raises TooManyWaiters."""
        await self.acquire(tenant_id)
        try:
            yield
        finally:
            self.release(tenant_id)

    async def acquire(self, tenant_id: int) -> None:
        """Take a permit when it is the tenant's turn; raises TooManyWaiters."""
        if self._free and not self._waiting and self._held[tenant_id] < self._share:
            self._take(tenant_id)
        else:
            if len(self._waiting.get(tenant_id, ())) >= self._waiting_max:
                raise TooManyWaiters
            call = asyncio.get_running_loop().create_future()
            self._waiting.setdefault(tenant_id, deque()).append(call)
            self._call()
            if not await self._is_called(tenant_id, call):
                raise asyncio.CancelledError

    def release(self, tenant_id: int) -> None:
        self._free += 1
        self._held[tenant_id] -= 1
        if not self._held[tenant_id]:
            del self._held[tenant_id]
        self._call()

    async def pass_on(self, tenant_id: int) -> None:
        """Let each other tenant have a turn, in the middle of one's own; the tenant's other requests wait on."""
        call = asyncio.get_running_loop().create_future()
        line = self._waiting.pop(tenant_id, deque())
        line.appendleft(call)
        self._waiting[tenant_id] = line  # To the end of the round.
        self.release(tenant_id)
        if not await self._is_called(tenant_id, call):
            self._take(tenant_id)  # For the end of the turn, which gives it back.
            raise asyncio.CancelledError

    async def _is_called(self, tenant_id: int, call: asyncio.Future[None]) -> bool:
        """Wait for one's turn; False if cancelled before it came."""
        try:
            await call
        except asyncio.CancelledError:
            if call.done() and not call.cancelled():
                self.release(tenant_id)  # Called and cancelled in the same round of the loop.
            elif call in (line := self._waiting.get(tenant_id, deque())):
                line.remove(call)
                if not line:
                    del self._waiting[tenant_id]
            return False
        return True

    def _take(self, tenant_id: int) -> None:
        self._free -= 1
        self._held[tenant_id] += 1

    def _call(self) -> None:
        """Hand out what is free: each tenant that may have a permit gets one, and goes to the end of the round."""
        while self._free:
            tenant_id = next((each for each in self._waiting if self._held[each] < self._share), None)
            if tenant_id is None:
                return
            line = self._waiting.pop(tenant_id)
            call = line.popleft()
            if line:
                self._waiting[tenant_id] = line
            if not call.done():
                self._take(tenant_id)
                call.set_result(None)
