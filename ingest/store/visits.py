"""Lends connections to the console, each transaction bound to a session, of which row security reads the tenant.

Without a live session `nocontent.session_tenant()` is null, and the role sees no row of any tenant.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import asyncpg

from ingest import logs
from ingest.errors import Unavailable
from ingest.store import connections
from ingest.store.accounts import sessions
from ingest.store.connections import Connection, Role
from ingest.store.endings import LOST
from ingest.store.errors import ReadTooLarge
from ingest.store.fairness import FairSemaphore
from ingest.store.idle_connections import IdleConnections

ROLE: Role = "nocontent_console"
WAIT_S = 3.0
PATIENCE = "30s"  # Of what a person asked for and waits for; other statements have the limit of the role.
STRANGERS = 0  # Those who are not signed in take turns as a tenant does.
_PATIENCE = f"SET LOCAL statement_timeout = '{PATIENCE}'"
_TENANT = "SELECT nocontent.session_tenant()"
# Of classes that a bug of ours causes: a missing privilege, a broken constraint, a wrong statement.
_BUGS = ("22", "23", "42")


class Bounds(NamedTuple):
    """Connections of a worker, those that one tenant's people use at once, and a tenant's requests that wait."""

    open_max: int
    tenant_max: int
    waiting_max: int


PAGES = Bounds(4, 3, 64)
# Of sessions: a millisecond each, and whose they are is not known before. Whoever asks for too many pages is refused at
# those, and holds up nobody else.
LOOK_UPS = Bounds(2, 2, 1_024)


class Visits:
    """Lends transactions; tenants take turns. Connections stay open for the next request."""

    def __init__(self, dsn: str, bounds: Bounds = PAGES) -> None:
        self._turns = FairSemaphore(*bounds)
        self._idle = IdleConnections(dsn, ROLE)

    @asynccontextmanager
    async def read(self, tenant_id: int, session: bytes) -> AsyncIterator[Connection]:
        """Lend a transaction in which all statements see one state and none writes.

        Raises Overloaded, Unavailable, ReadTooLarge.
        """
        async with (
            self._lent(tenant_id) as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            await sessions.enter(connection, session)
            yield connection

    @asynccontextmanager
    async def act(self, tenant_id: int, session: bytes) -> AsyncIterator[Connection]:
        """Lend a transaction that writes, and commit it at the end; raises as `read`."""
        async with self._lent(tenant_id) as connection, connection.transaction():
            await sessions.enter(connection, session)
            yield connection

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Connection]:
        """Lend a connection without transaction and session, good for calling functions; raises as `read`."""
        async with self._lent(STRANGERS) as connection:
            yield connection

    async def ask(self) -> None:
        """Ask whether the database answers; raises as `read`."""
        async with self._lent(STRANGERS) as connection:
            await connection.execute("SELECT 1")

    @asynccontextmanager
    async def _lent(self, tenant_id: int) -> AsyncIterator[Connection]:
        async with self._turns.turn_within(tenant_id, WAIT_S):
            connection = await self._idle.take()
            try:
                yield connection
            except asyncpg.QueryCanceledError:
                raise ReadTooLarge from None
            except asyncpg.PostgresError as refused:
                if connections.sqlstate(refused).startswith(_BUGS):
                    raise
                _lose(connection, refused)
            except LOST as lost:
                _lose(connection, lost)
            except asyncio.CancelledError:  # Its statement may still run.
                connection.terminate()
                raise
            finally:
                self._idle.give_back(connection)

    async def close(self) -> None:
        """Close the connections that nobody uses."""
        await self._idle.close()


async def be_patient(connection: Connection) -> None:
    """Allow the statements of this transaction more time."""
    await connection.execute(_PATIENCE)


async def session_tenant(connection: Connection) -> int | None:
    """Return the tenant whose rows the transaction sees, or None if its session is over."""
    found = await connection.fetchval(_TENANT)
    return None if found is None else int(found)


def _lose(connection: Connection, lost: Exception) -> None:
    logs.warning("database-lost", error=type(lost).__name__, sqlstate=connections.sqlstate(lost))
    connection.terminate()
    raise Unavailable from None
