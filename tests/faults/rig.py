"""A whole service in this process, from ASGI to COMMIT, with a proxy in front of a breakable PostgreSQL."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import asyncpg
from starlette.applications import Starlette

from ingest import embedded
from ingest.embedded import EmbeddedServer
from ingest.intake import app
from ingest.intake.service import Service
from ingest.store import connections, partitions
from tests.faults.proxy import Proxy, proxied
from tests.support import cluster, customers, direct, sample
from tests.support.customers import Customer, CustomerSpec
from tests.support.wire import Answer

WAIT_S = 30.0
POLL_S = 0.02
SETTINGS = {"max_connections": "100", "fsync": "off"}
LOGIN = "app"  # As an operator should: no superuser.
QUOTA = 10_000  # Of the second tenant.
_WRITERS = """
SELECT pid FROM pg_stat_activity
WHERE application_name = 'nocontent-writer' AND datname = current_database() AND state = 'idle' AND query = 'COMMIT'
"""
_BLOCKED = """
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'nocontent-writer'
    AND (wait_event_type = 'Lock' OR wait_event = 'SyncRep')
"""


@dataclass
class Site:
    """A separate PostgreSQL that may be killed, and restarted in the same folder."""

    folder: Path
    server: EmbeddedServer
    settings: dict[str, str]

    def start(self) -> None:
        self.server = embedded.start(self.folder, settings=self.settings)


@contextlib.contextmanager
def site() -> Iterator[Site]:
    """Start a PostgreSQL with a migrated template."""
    with cluster.open_folder() as opened:
        made = Site(opened / "pg", cluster.start(opened / "pg", SETTINGS), dict(SETTINGS))
        try:
            asyncio.run(_prepare(made.server.dsn))
            yield made
        finally:
            made.server.stop()


async def _prepare(dsn: str) -> None:
    async with cluster.operator(dsn) as connection:
        await connection.execute("CREATE DATABASE template")
    await cluster.make_tables(of(dsn, "template"))
    async with cluster.operator(of(dsn, "template")) as connection:
        await connection.execute(f"CREATE ROLE {LOGIN} LOGIN")
        await connection.execute(f"GRANT nocontent_maintainer, nocontent_writer TO {LOGIN}")


def of(dsn: str, database: str) -> str:
    return dsn.replace("/nocontent?", f"/{database}?")


@dataclass
class Rig:
    """The rig of a fault: the service, ways to break things, and the repairs to run afterwards."""

    site: Site
    database: str
    proxy: Proxy
    app: Starlette
    service: Service
    customer: Customer
    limited: Customer
    _mending: list[Callable[[], Awaitable[object]]] = field(default_factory=list)

    @property
    def dsn(self) -> str:
        return of(self.site.server.dsn, self.database)

    def batch(self, *events: dict[str, object], **envelope: object) -> bytes:
        return sample.body(*events, **envelope)

    async def post(self, body: bytes, token: str | None = None) -> Answer:
        return await self.request("POST", "/v1/events", body, token)

    async def request(self, method: str, path: str, body: bytes = b"", token: str | None = None) -> Answer:
        return await direct.ask(self.app, method, path, body, token or self.customer.token)

    async def run(self, statement: str, *values: object) -> list[asyncpg.Record]:
        """Run a statement as the superuser, bypassing the proxy."""
        async with cluster.operator(self.dsn) as connection:
            return list(await connection.fetch(statement, *values))

    async def breaks(self, statement: str, mend: str) -> None:
        """Break something with SQL, and register its repair."""
        await self.run(statement)
        self.mend_by(lambda: self.run(mend))

    async def limit(self, setting: str, value: str) -> None:
        """Set a parameter for the service's login, and make it reconnect to use it."""
        login = f"ALTER ROLE {LOGIN} IN DATABASE {self.database}"
        await self.breaks(f"{login} SET {setting} = {value}", f"{login} RESET {setting}")
        await self.proxy.cut()

    def mend_by(self, mend: Callable[[], Awaitable[object]]) -> None:
        self._mending.append(mend)

    async def mend(self) -> None:
        while self._mending:
            await self._mending.pop()()

    async def serve_anew(self) -> None:
        """Replace a closed service with a new one."""
        await self.service.stop()
        self.service = await direct.serve(self.app, self.proxy.dsn)

    async def stored(self, body: bytes) -> int:
        """Count the rows of a batch."""
        ids = [event["event_id"] for event in json.loads(body)["events"]]
        (row,) = await self.run("SELECT count(*) FROM events WHERE event_id = ANY($1::uuid[])", ids)
        return int(row["count"])

    async def partition_of(self, body: bytes) -> str:
        """Return the table that a batch's first event goes to."""
        at_ms = UUID(json.loads(body)["events"][0]["event_id"]).int >> 80
        return partitions.partition_name(datetime.fromtimestamp(at_ms / 1000, UTC).date())

    async def writers(self) -> list[int]:
        """Return the backends of the writers, which have written before."""
        return [row["pid"] for row in await self.run(_WRITERS)]

    async def blocked(self) -> list[int]:
        """Wait until a backend of the service waits for a lock or a standby, and return those that do."""
        async with asyncio.timeout(WAIT_S):
            while not (found := [row["pid"] for row in await self.run(_BLOCKED)]):
                await asyncio.sleep(POLL_S)
        return found

    @contextlib.asynccontextmanager
    async def locked(self, table: str = "batches") -> AsyncIterator[asyncpg.Connection]:
        """Hold a table so that every writer waits for it."""
        async with cluster.operator(self.dsn) as connection, connection.transaction():
            await connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            yield connection


@contextlib.asynccontextmanager
async def rigged(place: Site, database: str) -> AsyncIterator[Rig]:
    """Serve a fresh database with two tenants, until the block ends."""
    async with cluster.operator(place.server.dsn) as operating:
        await operating.execute(f"CREATE DATABASE {database} TEMPLATE template")
    dsn = of(place.server.dsn, database)
    async with connections.connected(dsn, "nocontent_control") as connection:
        customer = await customers.add(connection, "main", CustomerSpec())
        limited = await customers.add(connection, "limited", CustomerSpec(quota=QUOTA))
    async with proxied(dsn, LOGIN) as proxy:
        application = app.create()
        service = await direct.serve(application, proxy.dsn)
        rig = Rig(place, database, proxy, application, service, customer, limited)
        try:
            yield rig
        finally:
            proxy.set(None)
            await rig.mend()
            await rig.service.stop()
