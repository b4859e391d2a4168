"""A DSN of several hosts."""

import asyncio
import os
import signal
from collections.abc import Sequence

import pytest

from ingest.store import hosts, pool
from tests.faults import pair
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


def test_a_silent_primary_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "CONNECT_TIMEOUT_S", 2.0)
    with pair.started() as servers:
        for pid in (servers.primary.pid, *children(servers.primary.pid)):
            os.kill(pid, signal.SIGSTOP)
        servers.promote()
        asyncio.run(_connect(servers.dsn))
        servers.kill_primary()


async def _connect(dsn: str) -> None:
    await pool.close(await pool.connect(dsn, "nocontent_writer"))
