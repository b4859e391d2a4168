"""Opens spools: files that their owner alone can read, and memory. A damaged file is set aside."""

import os
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import ClassVar

from nocontent_reporter import rows
from nocontent_reporter.rows import Db

if sys.platform != "win32":  # There, a spool belongs to one process.
    import fcntl

BUSY_S = 5.0
WAL_BYTES_MAX = 4_194_304  # What SQLite's log keeps on disk between checkpoints.
OPEN_TRIES_MAX = 50  # Of processes that start at once, one may switch the journal; the others are turned away.
OPEN_PAUSE_S = 0.1


class Unusable(Exception):
    """The file is not a spool of this version, so it stays as it is; `fault` names the reason."""

    def __init__(self, fault: str) -> None:
        super().__init__(fault)
        self.fault = fault


def open_memory() -> Db:
    """Return a connection to a spool that ends with the process."""
    return _prepared(sqlite3.connect(":memory:", factory=Db, isolation_level=None, check_same_thread=False))


def open_file(path: Path) -> Db:
    """Return a connection to a spool, created if there is none; raises Unusable, OSError and sqlite3.Error."""
    _create(path)
    for _ in range(OPEN_TRIES_MAX):
        with suppress(sqlite3.OperationalError):
            return open_existing(path)
        if not os.access(path, os.W_OK):
            break
        time.sleep(OPEN_PAUSE_S)
    return open_existing(path)


def _create(path: Path) -> None:
    """Create a file that only its owner can read; SQLite gives the files beside it the same mode.

    One that is there is not opened: closing it would release the locks of another connection of this process.
    """
    for folder in (*reversed(path.parent.parents), path.parent):
        folder.mkdir(mode=0o700, exist_ok=True)
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)


def open_existing(path: Path) -> Db:
    connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False, factory=Db)
    try:
        _require_ours(connection)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA journal_size_limit = {WAL_BYTES_MAX}")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")  # What is sent is overwritten with zeros.
        return _prepared(connection)
    except (sqlite3.Error, Unusable):
        connection.close()
        raise


def _require_ours(connection: Db) -> None:
    (application,), (version,), (tables,) = (
        connection.execute(asked).fetchone()
        for asked in ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_master")
    )
    if tables and application != rows.APPLICATION_ID:
        raise Unusable("spool-foreign")
    if version > rows.FORMAT:
        raise Unusable("spool-newer")


def _prepared(connection: Db) -> Db:
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        rows.create(connection, time.time_ns() // 1_000_000)
    return connection


def is_damage(error: sqlite3.Error) -> bool:
    """Return whether an error means that the file is not a whole database: SQLITE_CORRUPT or SQLITE_NOTADB."""
    return type(error) is sqlite3.DatabaseError


def is_same(path: Path, inode: int) -> bool:
    """Return whether a path still leads to a file."""
    try:
        return path.stat().st_ino == inode
    except OSError:
        return False


def set_aside(path: Path, inode: int) -> None:
    """Rename a damaged spool, in place of one set aside before, unless another process has done so already.

    Raises OSError, also if another process uses it: at its end, SQLite there would remove by name the log of the next.
    """
    with Lock(Path(f"{path}-damaged-lock")).waited(), path.open("r+b") as file:
        if os.fstat(file.fileno()).st_ino == inode == path.stat().st_ino:
            _require_unused(file.fileno())
            path.replace(f"{path}-damaged")
            for end in ("-wal", "-shm"):
                with suppress(FileNotFoundError):
                    Path(f"{path}{end}").unlink()


def _require_unused(file: int) -> None:
    """Raise OSError if another process has the database open: it holds a shared lock on these bytes (SQLite's)."""
    if sys.platform != "win32":
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 510, 0x40000002)


class Lock:
    """A lock between processes, and between the reporters of one, that ends with its holder, however that dies.

    A record lock of POSIX, because a forked child inherits none: with flock(2) it would hold its parent's.
    """

    _holders: ClassVar[dict[Path, "Lock"]] = {}  # In this process; closing a file would release another one's lock.

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    def acquire(self) -> bool:
        """Take the lock if nobody has it, and return whether it is held; raises OSError."""
        if self._file is not None:
            return True
        if self._holders.setdefault(self._path, self) is not self:
            return False
        file = -1
        try:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
            if _is_locked(file):
                self._file, file = file, -1
        finally:
            if file >= 0:
                os.close(file)
            if self._file is None:
                self._holders.pop(self._path, None)
        return self._file is not None

    def release(self) -> None:
        """Release the lock. In a forked child, this leaves the parent's as it is."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
            self._holders.pop(self._path, None)

    @contextmanager
    def waited(self) -> Iterator[None]:
        """Hold the lock for a moment, as soon as nobody else does; raises OSError."""
        while not self.acquire():
            time.sleep(OPEN_PAUSE_S)
        try:
            yield
        finally:
            self.release()


def _is_locked(file: int) -> bool:
    if sys.platform == "win32":
        return True
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # POSIX allows either.
        return False
    return True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=Lock._holders.clear)  # noqa: SLF001 - of this module.
