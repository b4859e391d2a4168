"""The database servers that the migrations must run on, each with a migrated database; skip one that is missing."""

import asyncio
import contextlib
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ingest import embedded
from ingest.embedded.process import Account
from ingest.store import migrate
from tests.support import cluster
from tests.support.cluster import Cluster

RETENTION_DAYS = 3
OLDEST = str(migrate.SERVER_VERSION_MIN)
# Debian's folder, or one that the environment names.
OLDEST_PROGRAMS = Path(os.environ.get("POSTGRES_OLDEST_BIN", f"/usr/lib/postgresql/{OLDEST}/bin"))
CITUS_DSN = os.environ.get("CITUS_DSN", "")


@contextlib.contextmanager
def _newest(postgres: Cluster) -> Iterator[str]:
    dsn = postgres.empty()
    yield dsn
    postgres.drop(dsn)


@contextlib.contextmanager
def _oldest(_: Cluster) -> Iterator[str]:
    """Start the oldest supported version with the embedded server's launcher."""
    if not (OLDEST_PROGRAMS / "initdb").exists():
        pytest.skip(
            f"no PostgreSQL {OLDEST} in {OLDEST_PROGRAMS}: set POSTGRES_OLDEST_BIN to the folder of its programs"
        )
    said = subprocess.run(
        [OLDEST_PROGRAMS / "postgres", "--version"], capture_output=True, text=True, check=True
    ).stdout
    assert f" {OLDEST}." in said, said

    def programs(_: Account) -> tuple[Path, str]:
        return OLDEST_PROGRAMS, OLDEST

    with pytest.MonkeyPatch.context() as patch, cluster.open_folder() as folder:
        patch.setattr(embedded, "find_programs", programs)
        with embedded.start(folder / "pg", settings={"max_connections": "100", "fsync": "off"}) as server:
            yield server.dsn


@contextlib.contextmanager
def _citus(_: Cluster) -> Iterator[str]:
    """Use the database that the environment names, and remove our schema from it at the end."""
    if not CITUS_DSN:
        pytest.skip("no Citus: set CITUS_DSN to an empty database of a coordinator, as a superuser")
    (found,) = cluster.fetch(CITUS_DSN, "SELECT to_regnamespace('nocontent') IS NOT NULL AS is_used")
    assert not found["is_used"], "CITUS_DSN has a schema nocontent: name an empty database"
    assert cluster.fetch(CITUS_DSN, "SELECT FROM pg_extension WHERE extname = 'citus'"), "CREATE EXTENSION citus first"
    try:
        yield CITUS_DSN
    finally:
        cluster.run(CITUS_DSN, "DROP SCHEMA nocontent CASCADE")


ENGINES: dict[str, Callable[[Cluster], contextlib.AbstractContextManager[str]]] = {
    "newest": _newest,
    "oldest": _oldest,
    "citus": _citus,
}


@contextlib.contextmanager
def migrated(name: str, postgres: Cluster) -> Iterator[str]:
    """Yield the DSN of a database on an engine, with all tables and the partitions of RETENTION_DAYS."""
    with ENGINES[name](postgres) as dsn:
        asyncio.run(cluster.make_tables(dsn, RETENTION_DAYS))
        yield dsn
