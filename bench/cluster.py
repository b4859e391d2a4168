"""The one PostgreSQL server of a run, equally durable for all systems, with its databases and their sizes."""

import asyncio
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import asyncpg

from bench import accounts
from bench.workload import TAGS
from ingest import embedded
from ingest.embedded.process import settle
from ingest.store import migrate, partitions

SETTINGS = {
    "shared_buffers": "2GB",
    "max_wal_size": "16GB",
    "min_wal_size": "4GB",  # Segments are recycled, so that no system pays to create them.
    "checkpoint_timeout": "1h",  # Each measurement starts with its own checkpoint.
    "autovacuum": "off",  # It would run in the next system's turn.
    "commit_siblings": "0",  # So that commit_delay, the stand-in for a slow disk, delays every flush.
}
SEGMENTS = 256  # The number that min_wal_size keeps.
RETENTION_DAYS = 30
EVENTS = "nocontent.events"
_TEMPLATE = "migrated"
_DATA = "nocontent-bench"


class Stage(NamedTuple):
    """A database with our tables and tenants, ready for a service."""

    dsn: str
    tokens: Sequence[str]
    tags: Mapping[str, Sequence[str]] = TAGS
    retention_days: int = RETENTION_DAYS
    keeps_rows: bool = False


class Weight(NamedTuple):
    """The size of a table on disk, in bytes, with its partitions and TOAST."""

    heap: int
    indexes: int


@dataclass
class Cluster:
    """A running server."""

    dsn: str
    pid: int
    data_dir: Path
    _stages: dict[int, Stage] = field(default_factory=dict)

    def of(self, database: str) -> str:
        return self.dsn.replace("/nocontent?", f"/{database}?")

    def create(self, database: str, template: str = "template0") -> str:
        """Create a database if it does not exist, and return its DSN."""
        if not fetch(self.dsn, "SELECT FROM pg_database WHERE datname = $1", database):
            execute(self.dsn, f"CREATE DATABASE {database} TEMPLATE {template}")
        return self.of(database)

    def migrated(self, database: str) -> str:
        """Create a database with our tables, and return its DSN."""
        if not fetch(self.dsn, "SELECT FROM pg_database WHERE datname = $1", _TEMPLATE):
            asyncio.run(migrate_database(self.create(_TEMPLATE), RETENTION_DAYS))
        return self.create(database, _TEMPLATE)

    def delay_flushes(self, delay_ms: int) -> None:
        """Delay every flush of a commit from now on, as a slower disk or a synchronous standby would."""
        execute(self.dsn, f"ALTER SYSTEM SET commit_delay = {delay_ms * 1_000}")
        execute(self.dsn, "SELECT pg_reload_conf()")

    def stage(self, tenants: int) -> Stage:
        """Return the database with this many tenants, the same one each time."""
        if tenants not in self._stages:
            dsn = self.migrated(f"tenants_{tenants}")
            self._stages[tenants] = Stage(dsn, accounts.enroll(dsn, tenants, TAGS))
        return self._stages[tenants]


@contextmanager
def started(folder: Path, settings: Mapping[str, str] = SETTINGS) -> Iterator[Cluster]:
    """Start PostgreSQL on fresh data in a folder, and remove the data at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    made, _ = settle(folder.resolve() / _DATA)  # Another folder if PostgreSQL's account cannot reach this one.
    shutil.rmtree(made, ignore_errors=True)
    try:
        with embedded.start(made, settings=settings) as server:
            _make_segments(server.dsn)
            yield Cluster(server.dsn, server.pid, made)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _make_segments(dsn: str) -> None:
    """Create the WAL segments that a long-running server keeps, because creating one takes longer than a flush."""
    execute(
        dsn,
        f"""
        DO $$ BEGIN FOR segment IN 1..{SEGMENTS} LOOP
            PERFORM pg_logical_emit_message(false, '', ''), pg_switch_wal();
        END LOOP; END $$
        """,
    )
    execute(dsn, "CHECKPOINT")


async def migrate_database(dsn: str, retention_days: int) -> None:
    """Create our tables and the partitions of the retention."""
    connection = await asyncpg.connect(dsn)
    try:
        await migrate.migrate(connection)
        await partitions.keep(connection, retention_days)
    finally:
        await connection.close()


def fetch(dsn: str, query: str, *values: object) -> list[asyncpg.Record]:
    """Run one query as the superuser."""

    async def ask() -> list[asyncpg.Record]:
        connection = await asyncpg.connect(dsn)
        try:
            return list(await connection.fetch(query, *values))
        finally:
            await connection.close()

    return asyncio.run(ask())


def execute(dsn: str, statement: str) -> None:
    fetch(dsn, statement)


_WAL_BYTES = "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn AS bytes"
_WEIGHT = """
SELECT sum(pg_table_size(relid))::bigint AS heap, sum(pg_indexes_size(relid))::bigint AS indexes
FROM (SELECT relid FROM pg_partition_tree($1::regclass) UNION SELECT $1::regclass) AS leaf (relid)
"""


def wal_bytes(dsn: str) -> int:
    return int(fetch(dsn, _WAL_BYTES)[0]["bytes"])


def weigh(dsn: str, table: str) -> Weight:
    """Measure a table with all its partitions."""
    row = fetch(dsn, _WEIGHT, table)[0]
    return Weight(row["heap"], row["indexes"])


def rollup_lag_s(dsn: str) -> float:
    """Return how old the oldest event may be that no rollup has."""
    return float(fetch(dsn, _LAG)[0]["lag_s"])


_LAG = """
SELECT extract(epoch FROM clock_timestamp() - complete_at)::float8 AS lag_s FROM nocontent.jobs WHERE job = 'rollup'
"""


def count(dsn: str, source: str) -> int:
    return int(fetch(dsn, f"SELECT count(*) AS rows FROM {source}")[0]["rows"])
