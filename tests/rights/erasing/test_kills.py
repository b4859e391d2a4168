"""A job that is killed at any step goes on where it stopped: exact counts, one order, one receipt, one end."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ingest.rights.receipts import keys, signing
from ingest.rights.receipts.documents import Receipt
from ingest.store import connections
from ingest.store.rights import erasures
from ingest.store.rights.erasures import Erasure, Subject
from tests.support import erasing, sums
from tests.support.cluster import operator
from tests.support.service import ROOT

PLACES = ("ordered", "slice", "slice", "erased", "cleared", "summed", "vacuumed", "verified", "finished")
EVENTS = 4 * erasing.DAYS
ONE = 1


async def _record(dsn: str) -> Erasure:
    async with connections.connected(dsn, "nocontent_control") as control:
        return await erasures.record(control, Subject(ONE, "tenant"))


async def _help_on(dsn: str) -> None:
    async with operator(dsn) as owner:
        await erasing.help_on(dsn, owner, await erasures.unfinished(owner))


def test_killed_at_each_step_it_ends_once(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "erasures"
    for name, value in erasing.settings(folder).items():
        monkeypatch.setenv(name, value)
    asyncio.run(erasing.fill(database))
    recorded = asyncio.run(_record(database))
    for place in PLACES:
        for _ in range(10):
            command = [sys.executable, "-m", "tests.support.killed_eraser", database, place]
            if subprocess.run(command, cwd=ROOT, env=os.environ, check=False).returncode == -signal.SIGKILL:
                break
            asyncio.run(_help_on(database))
        else:
            pytest.fail(f"it never came to {place}")
    asyncio.run(erasing.reach(database, "finished"))
    asyncio.run(_check(database, recorded))
    assert sorted(path.name.partition(".")[2] for path in folder.iterdir()) == ["order.json", "receipt.json"]
    raw = (folder / f"{recorded.erasure_id}.receipt.json").read_bytes()
    receipt = signing.verify(raw, keys.decode((tmp_path / "keys.json").read_bytes()))
    assert isinstance(receipt, Receipt)
    assert {count.table: count.erased for count in receipt.counts}["events"] == EVENTS


async def _check(dsn: str, recorded: Erasure) -> None:
    async with operator(dsn) as owner:
        counts = {count.table: count for count in await erasures.counts(owner, recorded)}
        assert (counts["events"].erased, counts["batches"].erased) == (EVENTS, erasing.DAYS)
        assert counts["tenants"].erased == 1
        assert await owner.fetchval("SELECT count(*) FROM audit WHERE act = 'erasure.finish'") == 1
        assert await owner.fetchval("SELECT count(*) FROM events") == EVENTS * (erasing.TENANTS - 1)
        assert await sums.stored(owner) == await sums.from_rows(owner)


def test_a_second_job_at_the_same_time_changes_nothing(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in erasing.settings(tmp_path / "erasures").items():
        monkeypatch.setenv(name, value)
    asyncio.run(erasing.fill(database))
    recorded = asyncio.run(_record(database))

    async def both() -> None:
        for _ in range(20):
            await asyncio.gather(erasing.round_of(database), erasing.round_of(database))
            await _help_on(database)
            if not await _open(database):
                return

    asyncio.run(both())
    asyncio.run(_check(database, recorded))


async def _open(dsn: str) -> int:
    async with operator(dsn) as owner:
        return len(await erasures.unfinished(owner))
