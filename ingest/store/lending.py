"""Limits the connections for work besides writing: looking up streams, learning, auditing, adding counts.

Writing batches and refreshing the snapshot have connections of their own.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ingest.store import connections
from ingest.store.fairness import FairSemaphore

LENT_MAX = 2  # Connections at once: PostgreSQL has few, and each is a process of its own.
TENANT_MAX = 1  # Connections of one tenant, so that its slow look-ups leave one to the others.
WAITING_MAX = 32  # Requests of one tenant that wait.
WAIT_S = 2.0


class Connections:
    """Lends connections; tenants take turns, so that one with many requests waits only for itself."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._turns = FairSemaphore(LENT_MAX, TENANT_MAX, WAITING_MAX)

    @asynccontextmanager
    async def lend(self, tenant_id: int) -> AsyncIterator[connections.Connection]:
        """Open a connection for the block when it is the tenant's turn; raises Overloaded, Unavailable."""
        async with (
            self._turns.turn_within(tenant_id, WAIT_S),
            connections.connected(self._dsn, "nocontent_writer") as connection,
        ):
            yield connection
