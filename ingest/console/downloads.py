"""The connections and turns of downloads and of counts, apart from those of pages, which never wait for them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from ingest.reports.export_parts import Source
from ingest.serving.errors import NotFound
from ingest.serving.steps import Steps, finish
from ingest.store import visits
from ingest.store.connections import Connection
from ingest.store.fairness import FairSemaphore
from ingest.store.prefixes import OWN
from ingest.store.visits import Bounds, Visits

BOUNDS = Bounds(open_max=3, tenant_max=2, waiting_max=8)
STREAMS_MAX = 2  # Each may hold a connection as long as its sender takes.
_WAITING_MAX = 8
_WAIT_S = 3.0


class Downloads:
    """Lends what a download or a count of rows needs; tenants take turns."""

    def __init__(self, dsn: str) -> None:
        self._visits = Visits(dsn, BOUNDS)
        self._streams = FairSemaphore(STREAMS_MAX, 1, _WAITING_MAX)
        self._renderings = FairSemaphore(1, 1, _WAITING_MAX)

    def source(self, tenant_id: int, session: bytes) -> Source:
        """Return the data of a session's tenant, as the session may read it."""
        begin = partial(self.begin, tenant_id, session)
        return Source(tenant_id, OWN, partial(self._turn, tenant_id), begin, begin)

    @asynccontextmanager
    async def _turn(self, tenant_id: int) -> AsyncIterator[None]:
        async with self._streams.turn_within(tenant_id, _WAIT_S):
            yield

    @asynccontextmanager
    async def begin(self, tenant_id: int, session: bytes) -> AsyncIterator[Connection]:
        """Begin a transaction; raises NotFound if the session is over, which would see no row and end a part early."""
        async with self._visits.read(tenant_id, session) as connection:
            await visits.be_patient(connection)
            if await visits.session_tenant(connection) != tenant_id:
                raise NotFound
            yield connection

    async def render(self, tenant_id: int, steps: Steps[bytes]) -> bytes:
        """Make a document in a thread, one at a time; raises Overloaded."""
        async with self._renderings.turn_within(tenant_id, _WAIT_S):
            return await asyncio.to_thread(finish, steps)

    async def close(self) -> None:
        await self._visits.close()
