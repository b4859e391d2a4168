"""What becomes of events if the spool's file is damaged, full, foreign, removed or not to be had."""

import os
import shutil
import sqlite3
from collections import Counter
from pathlib import Path

import pytest

from nocontent_reporter import Options, files, moving, rows
from nocontent_reporter.database import Database
from nocontent_reporter.spool import Spool
from tests.reporter.processes import python
from tests.reporter.reported import event, reporting
from tests.reporter.scripted import Scripted, problem
from tests.reporter.spools import LARGE, NOW_MS, packed, storage_of
from tests.support.service import wait_until


@pytest.fixture
def faults() -> Counter[str]:
    return Counter()


@pytest.mark.parametrize("content", [b"not a database " * 100, b"SQLite format 3\0" + os.urandom(8_000), None])
def test_a_damaged_spool_is_set_aside(
    content: bytes | None, script: Scripted, tmp_path: Path, faults: Counter[str]
) -> None:
    path = tmp_path / "spool"
    if content is None:  # One that was in use, cut off.
        storage = storage_of(path, faults)
        for _ in range(30):
            storage.append([packed(50)], {})
        storage.close()
        os.truncate(path, 20_000)
    else:
        path.write_bytes(content)
    with reporting(script.url, path) as reporter:
        reporter.report(event())
        assert reporter.flush(5)
        assert reporter.sync(5)
        assert reporter.stats().faults == {"spool-damaged": 1}
    assert Path(f"{path}-damaged").exists()
    assert len(script.stored) == 1


def test_a_spool_damaged_while_it_is_used_is_set_aside(tmp_path: Path, faults: Counter[str]) -> None:
    path = tmp_path / "spool"
    storage = storage_of(path, faults)
    storage.append([packed(50)] * 30, {})
    file = storage.file()
    assert file is not None
    file.database.suspend()  # What SQLite has in memory would hide the damage.
    file.database.resume()
    with path.open("r+b") as damaged:
        damaged.seek(4_096)
        damaged.write(os.urandom(path.stat().st_size - 4_096))
    assert storage.append([packed(50)], {})
    assert faults == {"spool-damaged": 1}
    storage.close()


def test_a_spool_that_is_removed_while_it_is_used_is_moved(script: Scripted, tmp_path: Path) -> None:
    script.script += [problem(503, "unavailable", Retry_After="1")]
    path = tmp_path / "folder" / "spool"
    with reporting(script.url, path) as reporter:
        reported = [event(), event(), event(input_tokens=-1)]
        reporter.report(reported[0])
        reporter.report(reported[2])
        assert reporter.sync(5)
        wait_until(lambda: len(script.batches) == 1)
        shutil.rmtree(path.parent)
        reporter.report(reported[1])
        assert reporter.sync(5)
        assert path.exists()
        assert reporter.stats().faults == {"spool-replaced": 1}
        assert reporter.flush(10)
    assert set(script.stored) == {each.event_id for each in reported[:2]}
    assert script.dropped == {"refused": 1}


def test_a_spool_that_another_process_uses_is_not_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "spool"
    process = python(
        """
        reporter = Reporter("http://127.0.0.1:9", "nct_x", sys.argv[1])
        reporter.report(event())
        say(reporter.sync(10))
        time.sleep(60)
        """,
        path,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        with pytest.raises(OSError, match=r"."):
            files.set_aside(path, path.stat().st_ino)
        process.kill()
    files.set_aside(path, path.stat().st_ino)
    assert not path.exists()


@pytest.mark.parametrize(
    ("sql", "fault"),
    [
        ("PRAGMA user_version = 2", "spool-newer"),
        ("PRAGMA application_id = 1", "spool-foreign"),
    ],
)
def test_a_spool_of_others_is_not_touched(
    sql: str, fault: str, script: Scripted, tmp_path: Path, faults: Counter[str]
) -> None:
    path = tmp_path / "spool"
    storage_of(path, faults).append([packed()], {})
    with sqlite3.connect(path) as other:
        other.execute(sql)
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    other.close()
    before = path.read_bytes()
    with reporting(script.url, path) as reporter:
        reporter.report(event())
        assert reporter.flush(5)
        assert not reporter.sync(5)
        assert reporter.stats().faults == {fault: 1}
    assert path.read_bytes() == before
    assert len(script.stored) == 1


def test_a_full_disk_leaves_events_in_memory(
    tmp_path: Path, faults: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def open_small(path: Path) -> rows.Db:
        connection = files.open_existing(path)
        connection.execute("PRAGMA max_page_count = 10")
        return connection

    storage_of(tmp_path / "spool", faults).close()
    monkeypatch.setattr(files, "open_file", open_small)
    storage = storage_of(tmp_path / "spool", faults)
    for _ in range(20):
        storage.append([packed(100)], {})
    assert faults["spool-unwritable"] > 0
    assert storage.in_memory() == 100 * faults["spool-unwritable"]
    depth, lost = storage.depth()
    assert (depth.waiting, lost) == (2_000, Counter())
    storage.close()


def test_a_place_that_cannot_be_written_leaves_events_in_memory(script: Scripted, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with reporting(script.url, tmp_path / "file" / "spool") as reporter:
        reporter.report(event())
        assert reporter.flush(5)
        assert reporter.stats().faults == {"spool-unavailable": 1}
    assert len(script.stored) == 1


def test_what_waited_in_memory_is_put_into_the_file(
    script: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nocontent_reporter.storage.REOPEN_S", 0.05)
    script.script += [problem(503, "unavailable", Retry_After="60")]
    path = tmp_path / "folder" / "spool"
    path.parent.touch()
    with reporting(script.url, path) as reporter:
        reporter.report(event())
        assert not reporter.sync(5)
        wait_until(lambda: len(script.batches) == 1)
        reported = [event() for _ in range(3)]
        for each in reported:
            reporter.report(each)
        assert not reporter.sync(5)
        path.parent.unlink()
        wait_until(lambda: reporter.stats().spool_bytes > 0 and path.exists())
    with reporting(script.url, path) as again:
        assert again.flush(5)
    assert script.stored == [each.event_id for each in reported]


def test_what_cannot_be_moved_stays(tmp_path: Path) -> None:
    source = Spool(Database(files.open_memory()), LARGE)
    target = Spool(Database(files.open_file(tmp_path / "spool")), LARGE)
    source.append([packed(3)], {"refused": 2}, NOW_MS)
    target.database.close()
    with pytest.raises(sqlite3.Error):
        moving.move(source, target, NOW_MS)
    batch = source.next(100, NOW_MS)
    assert batch is not None
    assert (batch.events, batch.dropped) == (3, {"refused": 2})


def test_the_bound_of_memory_counts_what_it_drops(script: Scripted) -> None:
    script.script += [problem(503, "unavailable", Retry_After="60")]
    options = Options(interval_s=0.01, memory_bytes=60_000, batch_events=50)
    with reporting(script.url, options=options) as reporter:
        for _ in range(3_000):
            reporter.report(event())
        assert not reporter.flush(0.5)
        stats = reporter.stats()
        assert stats.dropped["queue_full"] > 0
        assert stats.reported == 3_000 == stats.waiting + stats.dropped["queue_full"] + stats.buffered
    assert reporter.stats().dropped["shutdown"] == stats.waiting
