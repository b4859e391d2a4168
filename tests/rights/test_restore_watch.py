"""The watch of a running worker: jobs rest while the database lacks an erasure, and go on when it has it."""

import asyncio
from pathlib import Path

import pytest

from ingest.rights import restore
from ingest.rights.receipts.folder import Folder
from ingest.rights.restore import RestoreWatch
from ingest.store import connections
from ingest.store.connections import Role
from ingest.store.rights import orders
from tests.support.receipts import ERASURE_ID

ROLE: Role = "nocontent_writer"


class Work:
    """A job that works until it is cancelled."""

    def __init__(self) -> None:
        self.begun = 0
        self.is_running = False

    async def run(self) -> None:
        self.begun += 1
        self.is_running = True
        try:
            await asyncio.Event().wait()
        finally:
            self.is_running = False


async def reached(watch: RestoreWatch, work: Work, *, is_running: bool) -> None:
    async with asyncio.timeout(10):
        while (watch.is_clear, work.is_running) != (is_running, is_running):  # noqa: ASYNC110 (neither has an event)
            await asyncio.sleep(0.01)


async def test_jobs_rest_while_an_erasure_is_missing(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restore, "LOOK_S", 0.01)
    folder, revision, work = Folder(str(tmp_path)), [5], Work()
    watch = RestoreWatch(database, ROLE, folder, lambda: revision[0])
    assert not watch.is_clear
    running = [asyncio.create_task(each) for each in (watch.run(), watch.run_while_clear(work.run))]
    await reached(watch, work, is_running=True)
    folder.write_order(ERASURE_ID, b"order")
    revision[0] = 4  # As after a restore.
    await reached(watch, work, is_running=False)
    async with connections.connected(database, "nocontent_control") as control:
        await orders.note_absent(control, ERASURE_ID)
    await reached(watch, work, is_running=True)
    assert work.begun == 2
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    assert not work.is_running


async def test_a_folder_that_is_away_changes_nothing(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restore, "LOOK_S", 0.01)
    monkeypatch.setattr(restore, "COMPARE_S", 0.1)
    path = tmp_path / "orders"
    path.mkdir()
    work = Work()
    watch = RestoreWatch(database, ROLE, Folder(str(path)), lambda: 1)
    running = [asyncio.create_task(each) for each in (watch.run(), watch.run_while_clear(work.run))]
    await reached(watch, work, is_running=True)
    path.rmdir()
    await asyncio.sleep(0.3)
    assert (watch.is_clear, work.begun) == (True, 1)
    monkeypatch.setattr(restore, "COMPARE_S", 100.0)
    await asyncio.sleep(0.3)  # No connection is being opened when the task is cancelled.
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


async def test_what_a_job_raises_is_raised(database: str, tmp_path: Path) -> None:
    watch = RestoreWatch(database, ROLE, Folder(str(tmp_path)), lambda: 1)

    async def fail() -> None:
        raise OSError

    task = asyncio.create_task(watch.run())
    with pytest.raises(OSError, match=r"^$"):
        await watch.run_while_clear(fail)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
