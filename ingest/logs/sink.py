"""The sink of log lines: a bounded buffer that one thread writes to stderr, so that no other thread waits or fails.

Writes block, but only in that thread: O_NONBLOCK would apply to every process that shares the open file. Lines that do
not fit or cannot be written are counted by reason, and reported when writing works again.
"""

import atexit
import contextlib
import errno
import os
import select
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from queue import Empty, SimpleQueue
from typing import Literal, get_args

from ingest.logs import signals

Reason = Literal["buffer_full", "reader_gone", "disk_full", "write_failed"]
REASONS: tuple[Reason, ...] = get_args(Reason)
STDERR = 2
LINES_MAX = 4_096  # In the buffer.
LINE_BYTES_MAX = 512
PIPE_BUF = 4_096  # pipe(7): writes up to this size are atomic.
assert LINE_BYTES_MAX <= PIPE_BUF  # Lines of several processes do not mix in one pipe.
TICK_S = 1.0
FLUSH_S = 1.0  # The longest that an ending process waits until its last lines are read.
_FLUSH_POLL_S = 0.002
_REST = b""  # No line is empty.
_NO_SECOND = -1  # Before every second of the clock.
_READER_GONE = {errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN}
_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class Sink:
    """The buffer and its thread. `due` returns lines left by earlier seconds; `loss` makes the line about lost ones."""

    def __init__(self, due: Callable[[int], Iterable[bytes]], loss: Callable[[int], bytes]) -> None:
        self._due = due
        self._loss = loss
        self._is_cut = False  # The last line was written in part.
        self._reset()
        os.register_at_fork(after_in_child=self._reset)  # A child lacks the thread, and its lock may be held by none.
        atexit.register(self.flush)

    def _reset(self) -> None:
        # Reentrant, like the queue: the collector may run a finalizer that logs at any allocation.
        self._lock = threading.RLock()
        self._lines: SimpleQueue[bytes] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._accepted = 0
        self._done = 0
        self._lost: dict[Reason, int] = dict.fromkeys(REASONS, 0)
        self._reported = 0

    @property
    def lost(self) -> Mapping[Reason, int]:
        """Return the lines that this process has lost since its start, by reason."""
        return self._lost

    def put(self, line: bytes) -> None:
        """Accept a line; never wait, never raise."""
        with self._lock:
            if self._accepted - self._done >= LINES_MAX:
                self._lost["buffer_full"] += 1
                return
            self._accepted += 1
            self._lines.put(line)
            if self._thread is None:
                self._start()

    def flush(self, timeout_s: float = FLUSH_S) -> None:
        """Wait until all accepted lines are written or lost, or the time is over."""
        for line in self._due(_NO_SECOND):
            self.put(line)
        deadline, accepted = time.monotonic() + timeout_s, self._accepted
        while self._done < accepted and time.monotonic() < deadline:
            time.sleep(_FLUSH_POLL_S)

    def rest(self) -> None:
        """End the thread once all accepted lines are written; the next line starts another."""
        with self._lock:
            thread, self._thread = self._thread, None
            if thread is not None:
                self._lines.put(_REST)
        if thread is not None:
            thread.join()

    def _start(self) -> None:
        thread = threading.Thread(target=self._run, name="log", daemon=True)
        # Signals must reach the thread that waits for them; one delivered here would not wake it.
        # No thread can be started: the lines stay in the buffer, and the next line tries again.
        with signals.held(), contextlib.suppress(RuntimeError):
            thread.start()
            self._thread = thread

    def _run(self) -> None:
        ticked_at = time.monotonic()
        while True:
            with contextlib.suppress(Empty):
                line = self._lines.get(timeout=TICK_S)
                if line is _REST:
                    return
                self._write(line)
                self._done += 1
            if time.monotonic() >= ticked_at + TICK_S:
                ticked_at = time.monotonic()
                self._report_loss()
                for line in self._due(int(ticked_at)):
                    self.put(line)

    def _write(self, line: bytes) -> None:
        self._report_loss()
        reason = self._attempt(line)
        if reason is not None:
            with self._lock:
                self._lost[reason] += 1

    def _report_loss(self) -> None:
        unreported = sum(self._lost.values()) - self._reported
        if unreported and self._attempt(self._loss(unreported)) is None:
            self._reported += unreported

    def _attempt(self, line: bytes) -> Reason | None:
        """Write a line, and return the reason why it was lost, or None."""
        whole = b"\n" + line if self._is_cut else line
        rest = whole
        try:
            while rest:
                rest = rest[_write_some(rest) :]
        except OSError as error:
            self._is_cut |= len(rest) < len(whole)
            if error.errno in _READER_GONE:
                return "reader_gone"
            return "disk_full" if error.errno in _DISK_FULL else "write_failed"
        self._is_cut = False
        return None


def _write_some(line: bytes) -> int:
    """Write some bytes, and return their number; wait even if another process has set O_NONBLOCK."""
    try:
        return os.write(STDERR, line)
    except BlockingIOError:
        writable = select.poll()
        writable.register(STDERR, select.POLLOUT)
        writable.poll()
        return 0
