"""Makes requests wait while the queue is full, first in, first out for each tenant, until any batch has room.

A sender whose body is unread sends no faster than we store. Overloaded is raised only after a while, because the sender
would not retry sooner anyway.
"""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from ingest.errors import Overloaded, Stopping

WAIT_S = 1.0
ADMITTED_MAX = 16  # Of one tenant at once: a sender that is slow with its body delays only its own tenant.


class Admission:
    """Admits waiters in order; `has_room` returns whether the queue has room for that many more batches of a tenant."""

    def __init__(self, has_room: Callable[[int, int], bool]) -> None:
        self._has_room = has_room
        self._waiting: dict[int, deque[asyncio.Future[None]]] = {}
        self._admitted: Counter[int] = Counter()

    def __contains__(self, tenant_id: int) -> bool:
        return tenant_id in self._waiting

    @asynccontextmanager
    async def admitted(self, tenant_id: int) -> AsyncIterator[None]:
        """Wait to be admitted, and count as admitted during the block; raises Overloaded after WAIT_S, Stopping."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(tenant_id, deque()).append(waiter)
        try:
            try:
                async with asyncio.timeout(WAIT_S):
                    await waiter
            except TimeoutError:
                raise Overloaded from None
            yield
        finally:
            self._leave(tenant_id, waiter)

    def admit(self, tenant_id: int) -> None:
        """Admit waiters of a tenant while there is room for one more beside those already admitted."""
        waiters = self._waiting.get(tenant_id, deque())
        while waiters and self._may_admit(tenant_id):
            waiter = waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                self._admitted[tenant_id] += 1
        if not waiters:
            self._waiting.pop(tenant_id, None)

    def admit_all(self) -> None:
        """Admit waiters of every tenant, since room that one left may go to another."""
        for tenant_id in list(self._waiting):
            self.admit(tenant_id)

    def close(self) -> None:
        """Raise Stopping for every waiter."""
        for waiters in self._waiting.values():
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_exception(Stopping())

    def _may_admit(self, tenant_id: int) -> bool:
        admitted = self._admitted[tenant_id]
        return admitted < ADMITTED_MAX and self._has_room(tenant_id, admitted + 1)

    def _leave(self, tenant_id: int, waiter: asyncio.Future[None]) -> None:
        if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
            self._admitted[tenant_id] -= 1
        elif waiter in (waiters := self._waiting.get(tenant_id, deque())):
            waiters.remove(waiter)
        if not self._admitted[tenant_id]:
            del self._admitted[tenant_id]
        self.admit(tenant_id)
