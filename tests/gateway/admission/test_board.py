"""The board: what a worker reads while the companion writes, dies in the middle of it, or is replaced."""

import multiprocessing
import os
from collections.abc import Iterator
from multiprocessing.connection import Connection

import msgspec
import pytest

from ingest.gateway.admission import board
from ingest.gateway.admission.board import Board, BoardFile, BoardWriter
from ingest.knowledge.gateway import SNAPSHOT_BYTES_MAX, GatewaySnapshot, GatewayTenant, GatewayToken


def snapshot(revision: int) -> GatewaySnapshot:
    token = GatewayToken(f"{revision:012x}", revision, bytes(32))
    return GatewaySnapshot(revision, 0, (token,) * (revision % 50), (GatewayTenant(revision),))


@pytest.fixture
def file() -> Iterator[BoardFile]:
    made = BoardFile.make()
    yield made
    os.close(made.file)


def put(writer: BoardWriter, revision: int) -> None:
    writer.write(msgspec.json.encode(snapshot(revision)))
    writer.confirm(board.now_ms(), 1_000)


def test_a_board_without_a_snapshot_is_empty_and_old(file: BoardFile) -> None:
    read = Board(file)
    assert read.read() is None
    assert read.age_ms() > 1 << 40


def test_nobody_opens_it_again_to_write_or_makes_it_shorter(file: BoardFile) -> None:
    assert os.fstat(file.file).st_mode & 0o777 == 0o400
    for size in (0, os.fstat(file.file).st_size + 1):  # A reader of what is gone would be ended by SIGBUS.
        with pytest.raises(PermissionError):
            os.ftruncate(file.file, size)


def test_each_snapshot_replaces_the_one_before(file: BoardFile) -> None:
    writer, read = BoardWriter(file), Board(file.readable())
    for revision in (1, 2, 3):
        put(writer, revision)
        assert read.read() == snapshot(revision)
        assert read.read() is read.read()
        assert 0 <= read.age_ms() < 1_000
        assert 1_000 <= read.service_now_ms() < 2_000


def test_a_worker_cannot_write_its_board(file: BoardFile) -> None:
    readable = file.readable()
    with pytest.raises(PermissionError):
        BoardWriter(readable)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.pwrite(readable.file, b"x", 0)


def test_a_writer_that_dies_in_the_middle_has_changed_nothing(file: BoardFile) -> None:
    writer, read = BoardWriter(file), Board(file.readable())
    put(writer, 1)
    # A second generation, cut before it is named: its bytes and its digest are there, wholly or in part.
    encoded = msgspec.json.encode(snapshot(2))
    os.pwrite(file.file, encoded[:20], board.HEAD_BYTES)
    os.pwrite(file.file, b"\x02", board.SLOTS_AT)
    assert read.read() == snapshot(1)
    assert Board(file.readable()).read() == snapshot(1)
    put(BoardWriter(file), 2)  # Its successor goes on.
    assert read.read() == snapshot(2)


@pytest.mark.parametrize(
    "place", [board.HEAD_BYTES + SNAPSHOT_BYTES_MAX, board.SLOTS_AT + 48 + 8, board.SLOTS_AT + 48 + 20]
)
def test_a_damaged_board_admits_nobody(file: BoardFile, place: int) -> None:
    put(BoardWriter(file), 1)
    [before] = os.pread(file.file, 1, place)
    os.pwrite(file.file, bytes([before ^ 1]), place)
    read = Board(file.readable())
    assert read.read() is None
    os.pwrite(file.file, bytes([before]), place)
    assert read.read() == snapshot(1)


def _write(file: BoardFile, began: "Connection[None, None]") -> None:
    writer = BoardWriter(file)
    began.send(None)
    for revision in range(2, 3_000):
        put(writer, revision)


def test_a_reader_beside_a_busy_writer_sees_whole_snapshots_in_order(file: BoardFile) -> None:
    put(BoardWriter(file), 1)
    context = multiprocessing.get_context("spawn")
    theirs, ours = context.Pipe()
    writing = context.Process(target=_write, args=(file, theirs))
    writing.start()
    ours.recv()
    read, last, seen = Board(file.readable()), 0, 0
    while writing.is_alive():
        found = read.read()
        if found is None:  # It was overtaken three times in a row, and admits nobody until it looks again.
            continue
        assert found == snapshot(found.revision)
        assert found.revision >= last
        seen += found.revision != last
        last = found.revision
    writing.join()
    assert writing.exitcode == 0
    final = read.read()
    assert final is not None
    assert final.revision == 2_999
    assert seen > 1
