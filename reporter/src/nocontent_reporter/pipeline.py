"""The part of a reporter that runs: a thread that writes to the spool, and one that sends from it."""

import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable

from nocontent_reporter import codings, columns
from nocontent_reporter.buffer import Buffer, Load
from nocontent_reporter.sender import Sender
from nocontent_reporter.stats import Counts
from nocontent_reporter.storage import Storage

BUG_S = 10.0  # After a bug of ours.
Refused = Callable[[Counter[str]], None]


class Pipeline:
    """Two threads and what they share. Made when the first event is reported, in the process that reports it."""

    def __init__(self, buffer: Buffer, storage: Storage, sender: Sender, counts: Counts, refused: Refused) -> None:
        self._buffer = buffer
        self._sender = sender
        self._counts = counts
        self._refused = refused
        self.storage = storage
        self._ending = threading.Event()
        self._wake = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(turn,), name=f"nocontent-{name}", daemon=True)
            for name, turn in (("writer", self._write), ("sender", self._send))
        ]
        self._lock = threading.Lock()
        self._users = len(self._threads) + 1  # Of the storage: the threads, and who ends them.

    def start(self) -> None:
        """Start the threads; raises RuntimeError if the interpreter starts no more."""
        for thread in self._threads:
            thread.start()

    @property
    def resumes_at(self) -> float:
        """The moment until which the sender pauses after an answer."""
        return self._sender.resumes_at

    def has_work(self) -> bool:
        """Return whether anything waits that could be sent."""
        try:
            return any(spool.has_work() for spool in self.storage.spools())
        except sqlite3.Error:
            return False

    def end(self, ends_at: float) -> None:
        """Write what is left and stop both threads; wait until a moment for what they are doing."""
        self._ending.set()
        self._buffer.hurry()
        self._wake.set()
        for thread in self._threads:
            thread.join(max(0.0, ends_at - time.monotonic()))
        self.write_rest()
        self._leave()

    def write_rest(self) -> None:
        """Put what the buffer holds into the spool, in the calling thread."""
        self._keep(self._buffer.take_now())

    def _write(self) -> None:
        self._keep(self._buffer.take())

    def _send(self) -> None:
        wait_s = self._sender.step()
        if wait_s != 0:
            self._wake.wait(wait_s)
            self._wake.clear()

    def _run(self, turn: Callable[[], None]) -> None:
        while not self._ending.is_set():
            if not self._is_done(turn):
                self._ending.wait(BUG_S)
        self._leave()

    def _leave(self) -> None:
        """Close the storage after the last use: another reporter of this process may be waiting for the spool."""
        with self._lock:
            self._users -= 1
            is_last = self._users == 0
        if is_last:
            self.storage.close()
            self._sender.close()

    def _is_done(self, turn: Callable[[], None]) -> bool:
        try:
            turn()
        except Exception:  # noqa: BLE001 - a bug of ours must not end reporting; nothing of it is logged.
            self._counts.fault("bug")
            return False
        return True

    def _keep(self, load: Load) -> None:
        events, size = load.events, self._buffer.batch_events
        batches = [events[start : start + size] for start in range(0, len(events), size)]
        packed = [(len(batch), codings.pack(columns.encode(batch))) for batch in batches]
        if packed or load.losses:
            self.storage.append(packed, load.losses)
        self._wake.set()  # Even for nothing: a flush is waiting, maybe for what another process has left.
        for reason in load.losses.keys() - {"refused"}:
            self._counts.add(self._counts.dropped, reason, load.losses[reason])
        self._buffer.keep(load.until)
        if load.refused:
            self._refused(load.refused)
