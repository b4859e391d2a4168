"""The spool: what it keeps and in which order, its bounds, its files."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from nocontent_reporter import codings, columns, files, rows
from nocontent_reporter.database import Database
from nocontent_reporter.rows import AGE_STEP_MS_MAX, Piece
from nocontent_reporter.spool import Bounds, Spool
from tests.reporter.processes import mode
from tests.reporter.reported import event, reporting
from tests.reporter.scripted import Scripted, problem
from tests.reporter.spools import DAY_MS, LARGE, NOW_MS, packed


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    opened = Spool(Database(files.open_file(tmp_path / "spool")), LARGE)
    yield opened
    opened.database.close()


def test_a_batch_stays_as_it_was_first_sent(spool: Spool, tmp_path: Path) -> None:
    spool.append([packed(3)], {"queue_full": 2}, NOW_MS)
    first = spool.next(100, NOW_MS)
    assert first is not None
    spool.append([packed(5)], {"queue_full": 1}, NOW_MS)
    spool.database.close()
    again = Spool(Database(files.open_file(tmp_path / "spool")), LARGE)
    second = again.next(1, NOW_MS + 300 * DAY_MS)
    assert second == first
    assert second.wire("identity") == first.wire("identity")
    again.database.close()


def test_losses_are_reported_by_one_batch(spool: Spool) -> None:
    spool.append([packed()], {"queue_full": 2}, NOW_MS)
    first = spool.next(100, NOW_MS)
    assert first is not None
    assert first.dropped == {"queue_full": 2}
    spool.append([packed()], {}, NOW_MS)
    spool.done(first)
    second = spool.next(100, NOW_MS)
    assert second is not None
    assert second.dropped == {}
    assert second.sequence == first.sequence + 1
    spool.done(second)
    assert spool.next(100, NOW_MS) is None


def test_losses_alone_are_a_batch(spool: Spool) -> None:
    spool.append([], {"refused": 2}, NOW_MS)
    alone = spool.next(100, NOW_MS)
    assert alone is not None
    assert (alone.events, alone.dropped) == (0, {"refused": 2})


def test_small_batches_are_sent_together(spool: Spool) -> None:
    for events in (3, 4, 5, 6):
        spool.append([packed(events)], {}, NOW_MS)
    sizes = []
    while (batch := spool.next(12, NOW_MS)) is not None:
        sizes.append((batch.events, len(batch.columns().events())))
        spool.done(batch)
    assert sizes == [(12, 12), (6, 6)]


def test_a_batch_over_a_new_bound_is_divided(spool: Spool) -> None:
    spool.append([packed(10)], {}, NOW_MS)
    sizes = []
    while (batch := spool.next(4, NOW_MS)) is not None:
        sizes.append(batch.events)
        spool.done(batch)
    assert sizes == [4, 4, 2]


def test_a_refused_batch_gets_another_sequence_and_keeps_its_losses(spool: Spool) -> None:
    spool.append([packed(4)], {"queue_full": 7}, NOW_MS)
    batch = spool.next(100, NOW_MS)
    assert batch is not None
    events = batch.columns().events()
    spool.replace(batch, [Piece(events[:2]), Piece(events[2:3], parked_tag="one")], 1)
    rest = spool.next(100, NOW_MS)
    assert rest is not None
    assert rest.sequence == batch.sequence + 1
    assert rest.dropped == {"queue_full": 7, "refused": 1}
    assert rest.columns().events() == events[:2]
    assert spool.depth()[:2] == (2, 1)
    spool.reuse_sequence(batch)  # Too late: the next one has been sent.
    spool.done(rest)
    spool.append([packed(4)], {}, NOW_MS)
    last = spool.next(100, NOW_MS)
    assert last is not None
    assert last.sequence == rest.sequence + 1
    spool.replace(last, [], 4)
    spool.reuse_sequence(batch)  # Of an older one.
    spool.reuse_sequence(last)
    after = spool.next(100, NOW_MS)
    assert after is not None
    assert (after.sequence, after.dropped) == (last.sequence, {"refused": 4})


def test_over_its_bound_the_oldest_go_and_are_counted(tmp_path: Path) -> None:
    spool = Spool(Database(files.open_file(tmp_path / "spool")), Bounds(120_000, 2**60))
    for _ in range(60):
        spool.append([packed(100)], {}, NOW_MS)
        assert spool.depth().bytes <= 130_000
    left = []
    while (batch := spool.next(100, NOW_MS)) is not None:
        left.append(batch)
        spool.done(batch)
    lost = 60 - sum(1 for batch in left if batch.events)
    assert 0 < lost < 60
    assert (
        sum(batch.dropped.get("queue_full", 0) for batch in left) == spool.database.lost()["queue_full"] == 100 * lost
    )
    assert (tmp_path / "spool").stat().st_size <= 200_000
    spool.database.close()


def test_the_batch_in_flight_is_not_dropped(tmp_path: Path) -> None:
    spool = Spool(Database(files.open_file(tmp_path / "spool")), Bounds(60_000, 2**60))
    spool.append([packed(100)], {}, NOW_MS)
    first = spool.next(100, NOW_MS)
    for _ in range(40):
        spool.append([packed(100)], {}, NOW_MS)
    assert spool.next(100, NOW_MS) == first
    spool.database.close()


def test_what_is_too_old_goes_and_is_counted(tmp_path: Path) -> None:
    spool = Spool(Database(files.open_file(tmp_path / "spool")), Bounds(2**30, DAY_MS))
    spool.append([packed(3)], {}, NOW_MS)
    spool.append([packed(2)], {}, NOW_MS + DAY_MS)
    batch = spool.next(100, NOW_MS + DAY_MS + 1)
    assert batch is not None
    assert (batch.events, batch.dropped) == (2, {"retries_exhausted": 3})
    spool.database.close()


def test_a_clock_that_jumps_ages_nothing_by_more_than_a_day(tmp_path: Path) -> None:
    spool = Spool(Database(files.open_file(tmp_path / "spool")), Bounds(2**30, 2 * AGE_STEP_MS_MAX))
    for wall_ms in (NOW_MS, NOW_MS + 5_000 * DAY_MS, 0, NOW_MS):
        spool.append([packed()], {}, wall_ms)
    batch = spool.next(100, NOW_MS)
    assert batch is not None
    assert (batch.events, batch.dropped) == (4, {})
    spool.database.close()


def test_a_stream_ends_after_a_month(spool: Spool) -> None:
    spool.append([packed()], {}, NOW_MS)
    first = spool.next(100, NOW_MS)
    assert first is not None
    spool.done(first)
    spool.append([packed()], {}, NOW_MS)
    second = spool.next(100, NOW_MS + rows.STREAM_MS_MAX + DAY_MS)
    assert second is not None
    assert second.stream_id != first.stream_id
    assert second.sequence == 0


def test_its_files_are_their_owners_alone(script: Scripted, tmp_path: Path) -> None:
    script.script.append(problem(503, "unavailable", Retry_After="60"))
    folder = tmp_path / "made" / "for-it"
    (tmp_path / "loose").touch(0o644)
    for path in (folder / "spool", tmp_path / "loose"):
        with reporting(script.url, path) as reporter:
            reporter.report(event())
            assert reporter.sync(5)
            files_made = [each for each in path.parent.iterdir() if each.name.startswith(path.name)]
            assert len(files_made) >= 3
            assert {mode(each) for each in files_made if each.is_file()} == {0o600}
    assert mode(folder) == mode(tmp_path / "made") == 0o700


class _ForgetfulDb(rows.Db):
    """A connection of a SQLite that does not overwrite what is deleted by default; Debian's does."""

    def __init__(self, *given: object, **named: object) -> None:
        super().__init__(*given, **named)
        self.execute("PRAGMA secure_delete = OFF")


@pytest.mark.parametrize("events", [3, 2_000])
def test_what_is_sent_is_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, events: int) -> None:
    monkeypatch.setattr(files, "Db", _ForgetfulDb)
    spool = Spool(Database(files.open_file(tmp_path / "spool")), LARGE)
    spool.append([packed(events), packed(1)], {}, NOW_MS)
    batch = spool.next(events, NOW_MS)
    assert batch is not None
    parts = [batch.body[start : start + 32] for start in range(0, len(batch.body) - 32, 1_000)]
    held = [part for part in parts if any(part in path.read_bytes() for path in tmp_path.iterdir())]
    # A page of SQLite ends in the midst of a few.
    assert len(held) > len(parts) / 2
    spool.done(batch)
    spool.database.close()  # So that the log is gone, too.
    assert not any(part in path.read_bytes() for path in tmp_path.iterdir() for part in parts)


def test_it_holds_metadata_alone(spool: Spool, tmp_path: Path) -> None:
    spool.append([packed(2)], {"refused": 1}, NOW_MS)
    assert spool.next(100, NOW_MS) is not None
    with sqlite3.connect(tmp_path / "spool") as peek:
        (body,) = peek.execute("SELECT body FROM batches").fetchone()
        texts = peek.execute("SELECT stream_id, policy_tag FROM state").fetchall()
    peek.close()
    assert columns.decode(codings.unpack(body)).terms == columns.of([event()]).terms
    assert len(texts) == 1
