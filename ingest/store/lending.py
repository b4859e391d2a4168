"""Connections for what needs PostgreSQL besides writing and refreshing: streams, learning and audit share a few."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from ingest.errors import Overloaded
from ingest.store import connections
from ingest.store.fairness import FairSemaphore, TooManyWaiters

LENT_MAX = 2  # PostgreSQL has few, and each is a process of its own.
TENANT_MAX = 1  # However slow one tenant's look-ups are, another finds a connection.
WAITING_MAX = 32  # Requests of one tenant.
WAIT_S = 2.0


class Connections:
    """Lends them by turns: a tenant that asks much waits for itself."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._turns = FairSemaphore(LENT_MAX, TENANT_MAX, WAITING_MAX)

    @asynccontextmanager
    async def lent(self, tenant_id: int) -> AsyncIterator[connections.Connection]:
        """Lend one for the block; raises Overloaded, Unavailable."""
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(WAIT_S):
                    await stack.enter_async_context(self._turns.turn(tenant_id))
            except (TooManyWaiters, TimeoutError):
                raise Overloaded from None
            yield await stack.enter_async_context(connections.connected(self._dsn, "nocontent_writer"))
