"""A DSN with several hosts."""

import asyncio
import os
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from ingest.store import connections, hosts
from tests.faults import pair
from tests.support.certificates import Authority
from tests.support.service import children


@pytest.mark.parametrize(
    ("dsn", "each"),
    [
        ("postgresql://u:p@a/d", ["postgresql://u:p@a/d"]),
        ("postgresql://u@a,b:5433/d?target_session_attrs=read-write",
         ["postgresql://u@a/d?target_session_attrs=read-write", "postgresql://u@b:5433/d?target_session_attrs=read-write"]),
        ("postgresql://u@/d?host=%2Fx,%2Fy&port=5432", ["postgresql://u@/d?host=%2Fx&port=5432", "postgresql://u@/d?host=%2Fy&port=5432"]),
        ("postgresql://u@/d?host=a,b&port=1,2", ["postgresql://u@/d?host=a&port=1", "postgresql://u@/d?host=b&port=2"]),
        ("postgresql://u@/d?host=a,b&port=1,2,3", ["postgresql://u@/d?host=a,b&port=1,2,3"]),
        ("postgresql:///d", ["postgresql:///d"]),
        ("no dsn", ["no dsn"]),
    ],
)  # fmt: skip
def test_each_host_gets_a_dsn(dsn: str, each: Sequence[str]) -> None:
    assert hosts.each(dsn) == each


@pytest.mark.parametrize(
    ("dsn", "is_exposed"),
    [
        ("postgresql://u@db.example/d", True),
        ("postgresql://u@db.example/d?sslmode=prefer", True),
        ("postgresql://u@db.example/d?sslmode=require", True),
        ("postgresql://u@db.example/d?sslmode=verify-ca&sslrootcert=ROOT", True),
        ("postgresql://u@db.example/d?sslmode=verify-full&sslrootcert=ROOT", False),
        ("postgresql://u@a.example,b.example/d?sslmode=verify-full&sslrootcert=ROOT", False),
        ("postgresql://u@localhost/d", False),
        ("postgresql://u@127.0.0.2:5433/d?sslmode=disable", False),
        ("postgresql://u@[::1]/d", False),
        ("postgresql://u@localhost,db.example/d", True),
        ("postgresql://u@/d?host=%2Frun%2Fpostgresql", False),
        ("postgresql://u@/d?host=%2Frun%2Fpostgresql,10.0.0.1", True),
        ("postgresql://u@/d?host=10.0.0.1", True),
    ],
)
def test_a_way_over_a_network_is_exposed_unless_host_and_name_are_verified(
    dsn: str, tmp_path: Path, *, is_exposed: bool
) -> None:
    assert hosts.is_exposed(dsn.replace("ROOT", str(Authority(tmp_path).root))) == is_exposed


def test_what_the_environment_says_of_the_way_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PGHOST", "db.example")
    assert hosts.is_exposed("postgresql:///d")
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    monkeypatch.setenv("PGSSLROOTCERT", str(Authority(tmp_path).root))
    assert not hosts.is_exposed("postgresql:///d")


def test_a_silent_primary_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "CONNECT_TIMEOUT_S", 2.0)
    with pair.started() as servers:
        for pid in (servers.primary.pid, *children(servers.primary.pid)):
            os.kill(pid, signal.SIGSTOP)
        servers.promote()
        asyncio.run(_connect(servers.dsn))
        servers.kill_primary()


async def _connect(dsn: str) -> None:
    await connections.close(await connections.connect(dsn, "nocontent_writer"))
