"""The ways to run the jobs: in the service, as a process of their own, and once."""

import asyncio
import signal
import subprocess
import sys
import time
from pathlib import Path

from ingest.jobs import runner
from tests.support import cluster, logins, service
from tests.support.service import ROOT, wait_until

_SESSIONS = """
SELECT pid FROM pg_stat_activity WHERE application_name = 'nocontent-biller' AND datname = current_database()
"""
_LATE = "UPDATE jobs SET due_at = 'epoch', complete_at = 'epoch'"
_DONE = "SELECT job FROM jobs WHERE complete_at > 'epoch'"


def _runs(dsn: str) -> None:
    """Wait until a process has run a job."""
    cluster.run(dsn, _LATE)
    wait_until(lambda: bool(cluster.fetch(dsn, _DONE)))


def test_the_service_runs_them_unless_it_must_not(database: str, tmp_path: Path) -> None:
    with service.serving(database, tmp_path / "log", workers=1):
        _runs(database)
    with service.serving(database, tmp_path / "log", workers=1, jobs="false"):
        cluster.run(database, _LATE)
        time.sleep(3 * runner.TICK_S)  # In which it must do nothing.
        assert cluster.fetch(database, _DONE) == []
        assert cluster.fetch(database, _SESSIONS) == []


def test_a_process_of_their_own_runs_them_until_sigterm(database: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "ingest", "jobs"], cwd=ROOT, env=service.environment(database), stderr=subprocess.PIPE
    )
    _runs(database)
    process.send_signal(signal.SIGTERM)
    _, lines = process.communicate(timeout=30)
    assert process.returncode == 0, lines
    assert [b'"started"' in line or b'"stopped"' in line for line in lines.splitlines()] == [True, True]


def test_once_does_what_is_due_and_what_is_not(database: str) -> None:
    for _ in range(2):
        cluster.run(database, "UPDATE jobs SET complete_at = 'epoch'")
        ended = service.command("jobs", "--once", env=service.environment(database))
        assert (ended.returncode, ended.stderr) == (0, b""), ended
        names = {line.partition(b":")[0].decode() for line in ended.stdout.splitlines()}
        assert names == {row["job"] for row in cluster.fetch(database, _DONE)}
        assert b"compare: 0 hours compared, 0 hours differing" in ended.stdout


def test_once_says_that_a_login_lacks_the_role(database: str) -> None:
    login = asyncio.run(logins.made(database, "nocontent_writer"))
    ended = service.command("jobs", "--once", env=service.environment(logins.dsn_of(database, login)))
    assert ended.returncode == 2
    assert b"nocontent_biller" in ended.stderr
