"""A semaphore that is fair between tenants: they take turns, however many requests each of them has."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ingest.errors import Overloaded


class FairSemaphore:
    """Round robin over tenants, first in, first out within each; no tenant holds more than `tenant_max` permits."""

    def __init__(self, permits: int, tenant_max: int, waiting_max: int) -> None:
        assert 0 < tenant_max <= permits
        self._free = permits
        self._tenant_max = tenant_max
        self._waiting_max = waiting_max
        self._held: Counter[int] = Counter()
        self._waiting: dict[int, deque[asyncio.Future[None]]] = {}  # In the order of the round: the next tenant first.

    @asynccontextmanager
    async def turn(self, tenant_id: int) -> AsyncIterator[None]:
        """Hold a permit for the block; raises Overloaded."""
        await self.acquire(tenant_id)
        try:
            yield
        finally:
            self.release(tenant_id)

    @asynccontextmanager
    async def turn_within(self, tenant_id: int, wait_s: float) -> AsyncIterator[None]:
        """Hold a permit for the block; raises Overloaded, also if there is none in time."""
        try:
            async with asyncio.timeout(wait_s):
                await self.acquire(tenant_id)
        except TimeoutError:
            raise Overloaded from None
        try:
            yield
        finally:
            self.release(tenant_id)

    async def acquire(self, tenant_id: int) -> None:
        """Acquire a permit when it is the tenant's turn; raises Overloaded if too many of its requests wait."""
        if self._free and not self._waiting and self._held[tenant_id] < self._tenant_max:
            self._take(tenant_id)
        else:
            if len(self._waiting.get(tenant_id, ())) >= self._waiting_max:
                raise Overloaded
            waiter = asyncio.get_running_loop().create_future()
            self._waiting.setdefault(tenant_id, deque()).append(waiter)
            self._grant()
            if not await self._wait(tenant_id, waiter):
                raise asyncio.CancelledError

    def release(self, tenant_id: int) -> None:
        self._free += 1
        self._held[tenant_id] -= 1
        if not self._held[tenant_id]:
            del self._held[tenant_id]
        self._grant()

    async def pass_on(self, tenant_id: int) -> None:
        """Release a permit and acquire it again after a turn of each other tenant, before the tenant's own waiters."""
        waiter = asyncio.get_running_loop().create_future()
        waiters = self._waiting.pop(tenant_id, deque())
        waiters.appendleft(waiter)
        self._waiting[tenant_id] = waiters  # To the end of the round.
        self.release(tenant_id)
        if not await self._wait(tenant_id, waiter):
            self._take(tenant_id)  # The caller still releases a permit at the end of its turn.
            raise asyncio.CancelledError

    async def _wait(self, tenant_id: int, waiter: asyncio.Future[None]) -> bool:
        """Wait for a permit; return False if the task is cancelled first."""
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self.release(tenant_id)  # Granted and cancelled in the same round of the loop.
            elif waiter in (waiters := self._waiting.get(tenant_id, deque())):
                waiters.remove(waiter)
                if not waiters:
                    del self._waiting[tenant_id]
            return False
        return True

    def _take(self, tenant_id: int) -> None:
        self._free -= 1
        self._held[tenant_id] += 1

    def _grant(self) -> None:
        """Grant the free permits: the next tenant that may hold one more gets it, and goes to the end of the round."""
        while self._free:
            tenant_id = next((each for each in self._waiting if self._held[each] < self._tenant_max), None)
            if tenant_id is None:
                return
            waiters = self._waiting.pop(tenant_id)
            waiter = waiters.popleft()
            if waiters:
                self._waiting[tenant_id] = waiters
            if not waiter.done():
                self._take(tenant_id)
                waiter.set_result(None)
