"""Puts batches into the spool's file, or into memory while it cannot be written; no fault of a file is raised."""

import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from nocontent_reporter import files, moving
from nocontent_reporter.database import Database
from nocontent_reporter.files import Lock
from nocontent_reporter.rows import Db, Depth, Losses
from nocontent_reporter.spool import Bounds, Spool

REOPEN_S = 30.0  # After a file could not be opened.
Count = Callable[[str], None]
Packed = Sequence[tuple[int, bytes]]


class Storage:
    """The spools of a process: a file, if one is wanted and can be had, and memory; `count` counts faults by name."""

    def __init__(self, path: Path | None, bounds: Bounds, memory: Bounds, count: Count) -> None:
        self._path = path
        self._bounds = bounds
        self._count = count
        self._lock = threading.Lock()
        self._file: Spool | None = None
        self._inode = 0
        self._opens_at = float("-inf")
        self.memory = Spool(Database(files.open_memory()), memory)
        self._turn = Lock(Path(f"{path}-lock")) if path is not None else None  # To send what is in the file.

    def append(self, batches: Packed, losses: Losses) -> bool:
        """Keep batches and losses, in the file if possible; return whether they are in the file."""
        wall_ms = time.time_ns() // 1_000_000
        for _ in range(2):  # Damage leads to another file.
            file = self.file()
            if file is None:
                break
            error = _error_of_append(file, batches, losses, wall_ms)
            if error is None:
                return True
            self.failed(file, error)
            if not files.is_damage(error):
                break
        self.memory.append(batches, losses, wall_ms)
        return False

    def file(self) -> Spool | None:
        """Return the file's spool, opened if need be; None if there is none to be had now."""
        with self._lock:
            if self._file is not None and self._path is not None and not files.is_same(self._path, self._inode):
                self._forsake(self._file, self._path)
            if self._file is None and self._path is not None and time.monotonic() >= self._opens_at:
                self._file = self._opened(self._path)
            return self._file

    def spools(self) -> list[Spool]:
        """Return the spools to send from."""
        file = self.file()
        return [self.memory] if file is None else [file, self.memory]

    def has_turn(self, spool: Spool) -> bool:
        """Return whether this process may send what a spool holds: of a file's processes, one at a time does."""
        if spool is self.memory or self._turn is None:
            return True
        try:
            return self._turn.acquire()
        except OSError:
            self._count("spool-unavailable")
            return False

    def yield_turn(self, spool: Spool) -> None:
        """Let another process send what a file holds."""
        if spool is not self.memory and self._turn is not None:
            self._turn.release()

    def failed(self, file: Spool, error: sqlite3.Error) -> None:
        """Count a fault of the file; if it is damaged, set it aside and begin another."""
        if self._file is not file:
            return  # It was replaced meanwhile.
        if not files.is_damage(error):
            self._count("spool-unwritable")
            return
        with self._lock:
            if self._file is file and self._path is not None:
                self._file = None
                file.database.close()
                self._count("spool-damaged")
                try:
                    files.set_aside(self._path, self._inode)
                except OSError:
                    self._count("spool-unavailable")
                    self._opens_at = time.monotonic() + REOPEN_S

    def _forsake(self, file: Spool, path: Path) -> None:
        """Move to memory what is in a file that somebody has removed; there may be another one in its place."""
        self._file = None
        self._count("spool-replaced")
        try:
            moving.move_all(file, self.memory, time.time_ns() // 1_000_000)
        except sqlite3.Error:
            self._count("spool-damaged")
        if path.exists():
            _forsaken.append(file)  # At its end, SQLite would remove by name the log of the other file.
        else:
            file.database.close()

    def _opened(self, path: Path) -> Spool | None:
        try:
            connection = _connected(path, self._count)
            self._inode = path.stat().st_ino
            file = Spool(Database(connection, lambda: _reconnected(path)), self._bounds)
            moving.move(self.memory, file, time.time_ns() // 1_000_000)  # What had to wait there for the file.
        except files.Unusable as unusable:
            self._count(unusable.fault)
        except (OSError, sqlite3.Error):
            self._count("spool-unavailable")
        else:
            return file
        self._opens_at = time.monotonic() + REOPEN_S
        return None

    def is_durable(self) -> bool:
        """Return whether nothing is in memory alone."""
        return self.file() is not None and self.in_memory() == 0

    def in_memory(self) -> int:
        """Return the events that end with the process."""
        depth = self.memory.depth()
        return depth.waiting + depth.parked

    def depth(self) -> tuple[Depth, "Counter[str]"]:
        """Return how much the spools hold, and the events that this process has dropped from them, by reason."""
        depths, lost = [], Counter[str]()
        for spool in self.spools():
            lost += spool.database.lost()
            with suppress(sqlite3.Error):
                depths.append(spool.depth())
        return Depth(*map(sum, zip(*depths, strict=True))), lost

    def close(self) -> None:
        """Close the file; what is in memory ends with the process."""
        with self._lock:
            if self._file is not None:
                self._file.database.close()
            self._file = self._path = None
        if self._turn is not None:
            self._turn.release()

    def suspend(self) -> None:
        """Before a fork: let no thread open or use a spool until `resume`."""
        self._lock.acquire()
        if self._file is not None:
            self._file.database.suspend()
        self.memory.database.suspend()

    def resume(self) -> None:
        self.memory.database.resume()
        if self._file is not None:
            self._file.database.resume()
        self._lock.release()

    def abandon(self) -> None:
        """In a forked child: drop the turn, which stays the parent's."""
        if self._turn is not None:
            self._turn.release()


_forsaken: list[Spool] = []


def _connected(path: Path, count: Count) -> Db:
    """Open a spool's file, in place of a damaged one if need be; raises Unusable, OSError and sqlite3.Error."""
    try:
        return files.open_file(path)
    except sqlite3.Error as error:
        if not files.is_damage(error):
            raise
    count("spool-damaged")
    files.set_aside(path, path.stat().st_ino)
    return files.open_file(path)


def _error_of_append(file: Spool, batches: Packed, losses: Losses, wall_ms: int) -> sqlite3.Error | None:
    try:
        file.append(batches, losses, wall_ms)
    except sqlite3.Error as error:
        return error
    return None


def _reconnected(path: Path) -> Db:
    try:
        return files.open_file(path)
    except (files.Unusable, OSError):
        raise sqlite3.OperationalError from None
