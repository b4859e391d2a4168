"""One embedded PostgreSQL for the whole run, and fresh databases in it, copied from a migrated one."""

import asyncio
import atexit
import contextlib
import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from functools import cache
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg

from ingest import embedded
from ingest.embedded import EmbeddedServer
from ingest.store import connections, migrate, partitions, retention
from ingest.store.connections import Connection
from ingest.store.partitions import Kept
from ingest.store.retention import Time

RETENTION_DAYS = 30
_TEMPLATE = "migrated"
# A test kills processes and never the machine: what the kernel has taken is as good as on disk.
SETTINGS = {"max_connections": "200", "fsync": "off"}


# A disk in memory makes and removes a database's 1,500 files some ten times as fast. A container may have a small one.
_MEMORY = Path("/dev/shm")
_MEMORY_BYTES_MIN = 4 * 1024**3


@contextlib.contextmanager
def open_folder() -> Iterator[Path]:
    """Yield a folder that PostgreSQL's account can enter: pytest's is 0700, and root runs postgres as another one."""
    is_roomy = os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free >= _MEMORY_BYTES_MIN
    made = Path(tempfile.mkdtemp(prefix="nocontent-test-", dir=_MEMORY if is_roomy else None))
    made.chmod(0o711)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


@cache
def _fresh() -> Path:
    """Return the folder of a cluster that initdb has made, for as long as this process runs."""
    kept = contextlib.ExitStack()
    atexit.register(kept.close)
    folder = kept.enter_context(open_folder()) / "pg"
    embedded.start(folder, settings=SETTINGS).stop()
    return folder


def start(folder: Path, settings: Mapping[str, str] = SETTINGS) -> EmbeddedServer:
    """Start a new PostgreSQL on a copy of a fresh cluster: initdb takes half a second of CPU, a copy a tenth of it."""
    subprocess.run(["cp", "-a", _fresh(), folder], check=True)
    return embedded.start(folder, settings=settings)


@dataclass
class Cluster:
    """A running server; a fresh database costs a copy of the migrated one."""

    dsn: str
    session: "Session"
    data_dir: Path
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def of(self, database: str) -> str:
        return self.dsn.replace("/nocontent?", f"/{database}?")

    def empty(self) -> str:
        """Create an empty database, and return its DSN."""
        return self._create("template1")

    def migrated(self) -> str:
        """Create a database with all tables, partitions and shipped terms, and return its DSN."""
        return self._create(_TEMPLATE)

    def drop(self, dsn: str) -> None:
        """Drop a database, ending the connections to it."""
        name = dsn.partition("?")[0].rpartition("/")[2]
        self.session.fetch(f"DROP DATABASE {name} WITH (FORCE)")

    def _create(self, template: str) -> str:
        name = f"test_{next(self._numbers)}"
        # Without fsync a copy of files and its checkpoint are cheaper than the same pages through WAL.
        self.session.fetch(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        return self.of(name)


@contextlib.contextmanager
def started() -> Iterator[Cluster]:
    """Start PostgreSQL and migrate the template of other databases."""
    with (
        open_folder() as folder,
        start(folder / "pg") as server,
        contextlib.closing(Session(server.dsn)) as session,
    ):
        cluster = Cluster(server.dsn, session, server.data_dir)
        session.fetch(f"CREATE DATABASE {_TEMPLATE}")
        asyncio.run(make_tables(cluster.of(_TEMPLATE)))
        yield cluster


async def make_tables(dsn: str, retention_days: int = RETENTION_DAYS) -> None:
    """Create the tables, and partitions for a retention."""
    async with operator(dsn) as connection:
        await migrate.migrate(connection)
    async with connections.connected(dsn, "nocontent_maintainer") as connection:
        await partitions.keep(connection, retention_days)


def noon(day: date) -> Time:
    """Return the time of a round of maintenance on a day, with clocks that agree."""
    return Time(datetime.combine(day, time(12), UTC))


# The guard of deletion reads PostgreSQL's clock, unless a test sets a time in its session.
_SET_CLOCK = """
DO $do$ BEGIN EXECUTE replace(
    pg_get_functiondef('nocontent.advance_horizon'::regproc), ':= clock_timestamp();',
    $$:= coalesce(nullif(current_setting('test.moment', true), '')::timestamptz, clock_timestamp());$$
); END $do$
"""


def let_the_clock_be_set(dsn: str) -> None:
    """Make the guard of deletion read the session's clock, so that `keep_at` works for any time."""
    run(dsn, _SET_CLOCK)


async def keep_at(connection: Connection, days: int, at: Time) -> Kept:
    """Run maintenance at a time, by the clocks of both PostgreSQL and the node."""
    await connection.execute("SELECT set_config('test.moment', $1, false)", at.now.isoformat())
    return await partitions.keep(connection, days, at)


async def set_retention(dsn: str, days: int) -> None:
    """Set the retention as `nocontent retention set` does."""
    async with connections.connected(dsn, "nocontent_control") as connection:
        await retention.set_days(connection, days)


@contextlib.asynccontextmanager
async def operator(dsn: str) -> AsyncIterator[Connection]:
    """Yield a superuser's connection."""
    connection = await asyncpg.connect(dsn, server_settings={"search_path": "nocontent"})
    try:
        yield connection
    finally:
        await connections.close(connection)


def fetch(dsn: str, query: str, *values: object) -> list[asyncpg.Record]:
    """Run one query as the superuser."""

    async def ask() -> list[asyncpg.Record]:
        async with operator(dsn) as connection:
            return list(await connection.fetch(query, *values))

    return asyncio.run(ask())


def run(dsn: str, statement: str) -> None:
    fetch(dsn, statement)


def sockets(dsn: str) -> str:
    """Return the folder of the socket that an embedded PostgreSQL listens on."""
    return parse_qs(urlsplit(dsn).query)["host"][0]


_COUNTS = """
SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM batches), (SELECT count(*) FROM vocabulary)
"""


class Session:
    """A superuser's connection that stays open, in its own loop."""

    def __init__(self, dsn: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._connection = self._loop.run_until_complete(
            asyncpg.connect(dsn, server_settings={"search_path": "nocontent"})
        )

    def fetch(self, query: str) -> list[asyncpg.Record]:
        return list(self._loop.run_until_complete(self._connection.fetch(query)))

    def close(self) -> None:
        self._loop.run_until_complete(connections.close(self._connection))
        self._loop.close()


class Watch(Session):
    """A counter of the rows of every table that ingestion writes."""

    def counts(self) -> tuple[int, int, int]:
        """Return the numbers of rows of events, batches and vocabulary."""
        (row,) = self.fetch(_COUNTS)
        return row[0], row[1], row[2]
