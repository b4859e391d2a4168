"""One connection to SQLite that the threads of a process share, and that no child inherits."""

import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from nocontent_reporter.rows import Db


class Database:
    """A connection with a lock. `connect` makes another one after a fork; without it, there is only this one."""

    def __init__(self, connection: Db, connect: Callable[[], Db] | None = None) -> None:
        self._connection: Db | None = connection
        self._connect = connect
        self._lock = threading.Lock()
        self._lost: Counter[str] = Counter()

    @contextmanager
    def transaction(self) -> Iterator[Db]:
        """Run a block as one transaction; raises sqlite3.Error."""
        with self.connected() as db:
            db.lost.clear()
            with db:
                db.execute("BEGIN IMMEDIATE")
                yield db
            self._lost.update(db.lost)

    @contextmanager
    def connected(self) -> Iterator[Db]:
        """Yield the connection, for this thread alone; raises sqlite3.Error."""
        with self._lock:
            if self._connection is None:
                if self._connect is None:
                    raise sqlite3.ProgrammingError
                self._connection = self._connect()
            yield self._connection

    def row(self, sql: str) -> tuple[object, ...]:
        """Return the first row of a query."""
        with self.connected() as db:
            row: tuple[object, ...] = db.execute(sql).fetchone()
            return row

    def lost(self) -> "Counter[str]":
        """Return the events that this process has dropped, by reason."""
        with self._lock:
            return self._lost.copy()

    def close(self) -> None:
        """Close the connection for good."""
        with self._lock:
            self._connect = None
            self._disconnect()

    def suspend(self) -> None:
        """Keep all threads out until `resume`, and close the connection, if another one can be made.

        A child would inherit what SQLite knows of its parent's locks, and take them for its own.
        """
        self._lock.acquire()
        if self._connect is not None:
            self._disconnect()

    def resume(self) -> None:
        self._lock.release()

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
