"""kill -9 of a process that closes months, between any two of its steps: no gap in numbers, nothing issued twice."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from ingest.store import connections
from ingest.store.connections import Connection
from tests.support import metering
from tests.support.cluster import operator
from tests.support.metering import utc

_ROOT = Path(__file__).parents[2]
_TENANTS = 5
_FIRST = date(2026, 1, 1)
_WAITS = """
SELECT count(*) FROM pg_stat_activity
WHERE application_name = 'nocontent' AND datname = current_database() AND wait_event_type = 'Lock'
"""
_STEPS = {
    "before it takes a number": "SELECT FROM nocontent.invoice_counters FOR UPDATE",
    "before it writes the document": "LOCK TABLE nocontent.invoices IN EXCLUSIVE MODE",
    "between the document and its lines": "LOCK TABLE nocontent.invoice_lines IN EXCLUSIVE MODE",
    "before its audit line": "LOCK TABLE nocontent.audit IN EXCLUSIVE MODE",
}


@pytest.fixture
def running() -> Iterator[list["subprocess.Popen[bytes]"]]:
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        process.kill()
        process.wait()


def _start(dsn: str, running: list["subprocess.Popen[bytes]"]) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "ingest", "invoice", "finalize", "--all"]
    environment = {**os.environ, "NOCONTENT_DSN": dsn}
    running.append(subprocess.Popen(command, cwd=_ROOT, env=environment, stdout=subprocess.DEVNULL))
    return running[-1]


async def _prepare(dsn: str) -> list[int]:
    """Put tenants on a plan, with usage in three months."""
    async with connections.connected(dsn, "nocontent_control") as control:
        plan = await metering.plan(control, "by-event", metering.terms(per_million=100 * 10**9))
        tenants = [await metering.subscribe(control, f"tenant-{n}", plan, _FIRST) for n in range(_TENANTS)]
    async with connections.connected(dsn, "nocontent_biller") as biller:
        for tenant in tenants:
            for month in (1, 2, 3):
                await metering.put(biller, tenant, utc(2026, month, 9), 100 * (10 * tenant + month), (0, 0))
    return tenants


async def _check(connection: Connection, tenants: list[int], *, is_finished: bool) -> None:
    rows = await connection.fetch("SELECT tenant_id, month, number, total_cents FROM invoices ORDER BY number")
    last = await connection.fetchval("SELECT last FROM invoice_counters")
    assert [row["number"] for row in rows] == list(range(1, last + 1))
    assert len({(row["tenant_id"], row["month"]) for row in rows}) == len(rows)
    lines = await connection.fetch(
        "SELECT number, sum(cents) AS cents FROM invoice_lines GROUP BY number ORDER BY number"
    )
    assert [row["cents"] for row in lines] == [row["total_cents"] for row in rows]
    assert await connection.fetchval("SELECT count(*) FROM audit WHERE act = 'invoice.finalize'") == len(rows)
    if is_finished:
        billed = {(row["tenant_id"], row["month"].month): row["total_cents"] for row in rows}
        assert {key: billed[key] for key in billed if key[1] <= 3} == {
            (tenant, month): 10 * tenant + month for tenant in tenants for month in (1, 2, 3)
        }


async def test_a_kill_between_two_steps_leaves_no_gap_and_no_double(
    database: str, running: list["subprocess.Popen[bytes]"]
) -> None:
    tenants = await _prepare(database)
    async with operator(database) as watching, operator(database) as blocking:
        for statement in _STEPS.values():
            async with blocking.transaction():
                await blocking.execute(statement)
                closing = _start(database, running)
                while not await watching.fetchval(_WAITS):
                    assert closing.poll() is None
                    await asyncio.sleep(0.01)
                closing.send_signal(signal.SIGKILL)
                assert closing.wait() == -signal.SIGKILL
            while await watching.fetchval(_WAITS):
                await asyncio.sleep(0.01)
            await _check(watching, tenants, is_finished=False)
        finished = _start(database, running)
        assert await asyncio.to_thread(finished.wait) == 0
        await _check(watching, tenants, is_finished=True)


async def test_kills_at_any_moment_of_two_at_once(database: str, running: list["subprocess.Popen[bytes]"]) -> None:
    chance = random.Random(15)
    tenants = await _prepare(database)
    async with operator(database) as watching:
        for _ in range(6):
            pair = [_start(database, running) for _ in range(2)]
            before = await watching.fetchval("SELECT count(*) FROM invoices")
            while await watching.fetchval("SELECT count(*) FROM invoices") == before:
                if all(process.poll() is not None for process in pair):
                    break
                await asyncio.sleep(0)
            await asyncio.sleep(chance.random() / 50)
            for process in pair:
                process.kill()
                process.wait()
            await _check(watching, tenants, is_finished=False)
        finished = [_start(database, running) for _ in range(2)]
        for process in finished:
            assert await asyncio.to_thread(process.wait) == 0
        await _check(watching, tenants, is_finished=True)
