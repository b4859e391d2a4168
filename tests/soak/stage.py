"""The setting of a run: a PostgreSQL with its defaults, one service, and two tenants."""

import asyncio
import contextlib
import fcntl
import mmap
import os
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from tests.faults.proxy import Proxy, proxied
from tests.soak.vitals import Workers
from tests.support import cluster, customers, service
from tests.support.customers import Customer, CustomerSpec
from tests.support.service import Server

READER_S = 10.0  # Longest that the log's reader takes for what is left.


@dataclass
class Scene:
    """The service as a sender sees it, and its vital signs."""

    server: Server
    customers: Mapping[str, Customer]
    workers: Workers


@dataclass
class Stage(Scene):
    """A scene with its database, which `dsn` reaches directly; the service may use a proxy."""

    dsn: str
    postmaster: int
    proxy: Proxy


@contextlib.asynccontextmanager
async def staged(
    wanted: Mapping[str, CustomerSpec], workers: int, settings: Mapping[str, str], *, is_proxied: bool
) -> AsyncIterator[Stage]:
    """Start everything afresh with some settings of PostgreSQL, and remove it when the block ends."""
    with contextlib.ExitStack() as undo:
        folder = undo.enter_context(cluster.open_folder())
        postgres = undo.enter_context(cluster.start(folder / "pg", settings))
        await cluster.make_tables(postgres.dsn)
        made = await asyncio.to_thread(customers.prepare, postgres.dsn, wanted)
        async with proxied(postgres.dsn) as proxy:
            dsn = proxy.dsn if is_proxied else postgres.dsn
            log = folder / "serve.log"
            into = undo.enter_context(_read(log))
            async with _aside(service.serving(dsn, log, into=into, workers=workers)) as server:
                yield Stage(server, made, Workers(server), postgres.dsn, postgres.pid, proxy)


@contextlib.contextmanager
def _read(log: Path) -> Iterator[int]:
    """Read the service's log in a separate process, as a log driver does, which may be stopped or killed."""
    pipe = log.with_suffix(".pipe")
    os.mkfifo(pipe)
    log.touch()
    with log.open("ab") as lines:
        reader = subprocess.Popen(["cat", pipe], stdout=lines)
    into = os.open(pipe, os.O_WRONLY)
    fcntl.fcntl(into, fcntl.F_SETPIPE_SZ, mmap.PAGESIZE)  # It is full after a few seconds of a flood.
    try:
        yield into
    finally:
        os.close(into)
        reader.wait(READER_S)


@contextlib.asynccontextmanager
async def _aside(serving: AbstractContextManager[Server]) -> AsyncIterator[Server]:
    """Start and stop in a thread, because waiting for the service must not block the proxy."""
    server = await asyncio.to_thread(serving.__enter__)
    try:
        yield server
    finally:
        await asyncio.to_thread(serving.__exit__, None, None, None)
