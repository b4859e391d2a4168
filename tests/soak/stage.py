"""What a run happens on: a PostgreSQL with its defaults, one service before it, and two tenants."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

from ingest import embedded
from ingest.store import migrate, partitions, pool
from tests.faults.proxy import Proxy, proxied
from tests.soak.vitals import Workers
from tests.support import cluster, customers, service
from tests.support.customers import Customer, Wanted
from tests.support.service import Server


@dataclass
class Scene:
    """What a sender sees, and what tells how the service is."""

    server: Server
    customers: Mapping[str, Customer]
    workers: Workers


@dataclass
class Stage(Scene):
    """The same with its database, which `dsn` reaches past the proxy; the service may stand behind it."""

    dsn: str
    postmaster: int
    proxy: Proxy

    @contextlib.contextmanager
    def database_paused(self) -> Iterator[None]:
        """Stop PostgreSQL as a frozen machine stops it: connections stay, and nobody answers."""
        # Each backend is in a session of its own, so no group has them all. The postmaster first: no new ones come.
        os.kill(self.postmaster, signal.SIGSTOP)
        stopped = [self.postmaster]
        try:
            for backend in service.children(self.postmaster):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(backend, signal.SIGSTOP)
                    stopped.append(backend)
            yield
        finally:
            for pid in stopped:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)


@contextlib.asynccontextmanager
async def staged(
    wanted: Mapping[str, Wanted], workers: int, settings: Mapping[str, str], *, is_proxied: bool
) -> AsyncIterator[Stage]:
    """Start everything anew, with some settings of PostgreSQL's, and remove it all with the block."""
    with contextlib.ExitStack() as undo:
        folder = undo.enter_context(cluster.open_folder())
        postgres = undo.enter_context(embedded.start(folder / "pg", settings=settings))
        made = await _prepare(postgres.dsn, wanted)
        async with proxied(postgres.dsn) as proxy:
            dsn = proxy.dsn if is_proxied else postgres.dsn
            async with _aside(service.serving(dsn, folder / "serve.log", workers=workers)) as server:
                yield Stage(server, made, Workers(server), postgres.dsn, postgres.pid, proxy)


@contextlib.asynccontextmanager
async def _aside(serving: AbstractContextManager[Server]) -> AsyncIterator[Server]:
    """Start and stop in a thread: whoever waits for the service must not keep the proxy from it."""
    server = await asyncio.to_thread(serving.__enter__)
    try:
        yield server
    finally:
        await asyncio.to_thread(serving.__exit__, None, None, None)


async def _prepare(dsn: str, wanted: Mapping[str, Wanted]) -> dict[str, Customer]:
    async with cluster.operator(dsn) as connection:
        await migrate.migrate(connection)
        await partitions.keep(connection, cluster.RETENTION_DAYS)
    async with pool.connected(dsn, "nocontent_control") as connection:
        return {name: await customers.add(connection, name, each) for name, each in wanted.items()}
