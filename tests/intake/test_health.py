"""The probes."""

import asyncio
import os
import signal
from pathlib import Path

import asyncpg
import pytest

from ingest.intake.refresher import SNAPSHOT_AGE_S_MAX
from tests.support import service
from tests.support.cluster import Cluster
from tests.support.service import Server


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_a_probe_needs_no_token(server: Server, path: str) -> None:
    sender = server.sender()
    answer = sender.get(path)
    sender.close()
    assert (answer.status, answer.body) == (200, b"ok\n")


# Slow because a worker trusts its snapshot for SNAPSHOT_AGE_S_MAX after losing the database.
def test_a_service_without_its_database_is_alive_and_not_ready(postgres: Cluster, tmp_path: Path) -> None:
    dsn = postgres.migrated()
    name = dsn.partition("/test_")[2].partition("?")[0]
    with service.serving(dsn, tmp_path / "log", workers=1) as server:
        asyncio.run(_close_to_all(postgres.dsn, f"test_{name}"))
        sender = server.sender()
        service.wait_until(lambda: sender.get("/readyz").status == 503)
        answer = sender.get("/readyz")
        assert (answer.problem, answer.json["failing"]) == ("not-ready", ["database"])
        assert answer.headers["retry-after"] == "2"
        assert sender.get("/livez").status == 200
        sender.close()
    assert SNAPSHOT_AGE_S_MAX < service.WAIT_S


def test_a_service_that_cannot_start_says_why_in_one_line(tmp_path: Path) -> None:
    env = service.environment(f"postgresql://nobody@/nothing?host={tmp_path}")
    ended = service.command("serve", env=env)
    assert ended.returncode == 2
    assert ended.stderr.count(b"\n") == 1
    assert b"NOCONTENT_DSN" in ended.stderr


def test_a_killed_worker_ends_the_service_so_that_it_is_started_anew(postgres: Cluster, tmp_path: Path) -> None:
    with service.serving(postgres.migrated(), tmp_path / "log") as server:
        os.kill(server.workers()[0], signal.SIGKILL)
        assert server.process.wait(service.WAIT_S) != 0


async def _close_to_all(dsn: str, database: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(f"ALTER DATABASE {database} ALLOW_CONNECTIONS false")
        await connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", database)
    finally:
        await connection.close()
