"""Lends connections to those who read what was summed up: few of them, with limits of their own.

Whatever readers ask for, ingestion keeps its connections; PostgreSQL ends a statement after `_READ_TIMEOUT` of
`connections`.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import asyncpg

from ingest import logs
from ingest.errors import Unavailable
from ingest.store import connections
from ingest.store.connections import Connection, Role
from ingest.store.endings import LOST
from ingest.store.errors import ReadTooLarge
from ingest.store.fairness import FairSemaphore
from ingest.store.idle_connections import IdleConnections

ROLE: Role = "nocontent_usage_reader"
OPEN_MAX = 2  # Connections of a worker.
TENANT_MAX = 1  # Of which one tenant uses at once.
WAITING_MAX = 8  # Requests of one tenant that wait.
WAIT_S = 3.0


class Bounds(NamedTuple):
    """A role, the numbers of its connections of a worker and of one tenant, and the tenant's requests that wait."""

    role: Role
    open_max: int
    tenant_max: int
    waiting_max: int
    wait_s: float


# Of exports: their blocks, each of which is a short transaction, and tables that are read as a whole while a sender
# takes them.
BLOCKS = Bounds("nocontent_exporter", 2, 1, 8, 20.0)
TABLES = Bounds("nocontent_exporter", 2, 1, 2, WAIT_S)


class ReadConnections:
    """Lends read-only transactions; tenants take turns. Connections stay open for the next reader."""

    def __init__(self, dsn: str, bounds: Bounds | None = None) -> None:
        self._bounds = bounds or Bounds(ROLE, OPEN_MAX, TENANT_MAX, WAITING_MAX, WAIT_S)
        self._turns = FairSemaphore(*self._bounds[1:4])
        self._idle = IdleConnections(dsn, self._bounds.role)

    @asynccontextmanager
    async def begin(self, tenant_id: int) -> AsyncIterator[Connection]:
        """Lend a transaction in which all statements see one state; raises Overloaded, Unavailable, ReadTooLarge."""
        async with self._turns.turn_within(tenant_id, self._bounds.wait_s), self._transaction() as connection:
            yield connection

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Connection]:
        connection = await self._idle.take()
        try:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                yield connection
        except (asyncpg.QueryCanceledError, asyncpg.NumericValueOutOfRangeError):
            raise ReadTooLarge from None
        except (*LOST, asyncpg.PostgresError) as lost:
            logs.warning("database-lost", error=type(lost).__name__, sqlstate=connections.sqlstate(lost))
            connection.terminate()
            raise Unavailable from None
        except asyncio.CancelledError:  # Its statement may still run.
            connection.terminate()
            raise
        finally:
            self._idle.give_back(connection)

    async def close(self) -> None:
        """Close the connections that nobody uses."""
        await self._idle.close()


@asynccontextmanager
async def patiently(connection: Connection) -> AsyncIterator[None]:
    """Read one state in the block, for a person at a terminal, whose statements may take minutes."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        await connection.execute("SET LOCAL statement_timeout = '5min'")
        yield
