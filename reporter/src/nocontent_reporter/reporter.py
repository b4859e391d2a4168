"""The front of the package: takes events from any thread at once, and never raises into the host."""

import atexit
import os
import sqlite3
import ssl
import threading
import time
import weakref
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from nocontent_reporter.buffer import Buffer
from nocontent_reporter.checks import Checker
from nocontent_reporter.connection import Connection
from nocontent_reporter.event import Event
from nocontent_reporter.pipeline import Pipeline
from nocontent_reporter.rows import Depth
from nocontent_reporter.sender import Sender
from nocontent_reporter.spool import Bounds
from nocontent_reporter.stats import Counts, Stats
from nocontent_reporter.storage import Storage

EXIT_S = 2.0  # For close() at the end of the process.
POLL_S = 0.02
_DAY_MS = 86_400_000
Lost = Literal["queue_full", "retries_exhausted", "shutdown"]
_LOST = frozenset(get_args(Lost))


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What two proxies may want differently. Bounds drop the oldest events, which are counted."""

    interval_s: float = 0.5  # Between writes to the spool: a process that is killed loses what it reported since.
    batch_events: int = 1_000  # Written sooner when there are so many.
    buffer_events: int = 20_000  # Not yet in the spool.
    memory_bytes: int = 16 * 1024 * 1024  # Compressed, of what waits without a spool or while it cannot be written.
    spool_bytes: int = 256 * 1024 * 1024
    spool_days: float = 7.0
    on_refused: Callable[[str, int], None] | None = None  # A rule and how many events broke it, on a thread of ours.
    trust: ssl.SSLContext | None = None  # Instead of the system's certificates.


class Reporter:
    """Reports events to one server. A spool is a file that keeps them until the server has them."""

    def __init__(
        self, url: str, token: str, spool: "str | os.PathLike[str] | None" = None, options: Options | None = None
    ) -> None:
        """Raise ValueError for a URL or token that cannot be one. Nothing is opened until the first event."""
        self._options = options or Options()
        self._connection = Connection(url, token, self._options.trust)
        self._spool = Path(spool).absolute() if spool is not None else None
        self._checker = Checker()
        self._begin()
        _living.add(self)

    def _begin(self) -> None:
        """Begin without threads and events, as a new process does."""
        self._lock = threading.Lock()
        self._buffer = Buffer(self._options.buffer_events, self._options.batch_events, self._options.interval_s)
        self._counts = Counts()
        self._pipeline: Pipeline | None = None
        self._is_closed = False

    def report(self, event: Event) -> None:
        """Queue an event. Never waits and never raises: an event that breaks a rule is counted, and not kept."""
        try:
            fault = self._checker.fault(event)
            if self._is_closed or (fault is None and not self._buffer.put(event)):
                self._counts.add(self._counts.dropped, "shutdown")
                return
            if fault is not None:
                self._buffer.refuse(fault.rule)
            if self._pipeline is None and self._lock.acquire(blocking=False):  # Or it is being started.
                try:
                    self._start()
                finally:
                    self._lock.release()
        except Exception:  # noqa: BLE001 - the host answers requests, whatever becomes of its telemetry.
            self._counts.fault("bug")

    def lost(self, events: int, reason: Lost = "shutdown") -> None:
        """Count events that the host lost before it could report them; the server gets their number. Never raises."""
        try:
            self._buffer.lose(max(0, int(events)), reason if reason in _LOST else "shutdown")
            self._started()
        except Exception:  # noqa: BLE001 - as in `report`.
            self._counts.fault("bug")

    def at_risk(self) -> int:
        """Return the events and losses that a kill of this process would lose: those not yet in a spool's file."""
        unkept, pipeline = self._buffer.unkept(), self._pipeline  # In this order: what moves meanwhile counts twice.
        return unkept if pipeline is None else unkept + pipeline.storage.memory.held()

    def flush(self, timeout_s: float) -> bool:
        """Wait until the server has answered for all that was reported before; return whether it has.

        Parked events are not waited for. In asyncio: `await asyncio.to_thread(reporter.flush, 5)`.
        """
        ends_at = time.monotonic() + timeout_s
        if self._is_closed or not self._write_out(ends_at):
            return False
        storage = self._started().storage
        try:
            ages = [(spool, spool.age_ms()) for spool in storage.spools()]
            while any(spool.has_work(age_ms) for spool, age_ms in ages):
                if time.monotonic() >= ends_at:
                    return False
                time.sleep(POLL_S)
        except sqlite3.Error:
            return False
        return True

    def sync(self, timeout_s: float) -> bool:
        """Wait until all that was reported before is in the spool's file; return whether it is."""
        if self._is_closed:
            return False
        return self._write_out(time.monotonic() + timeout_s) and self._started().storage.is_durable()

    def close(self, timeout_s: float = EXIT_S) -> None:
        """Write what is left to the spool, send what can be sent before the time-out, and stop."""
        ends_at = time.monotonic() + timeout_s
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
        self._buffer.close()
        pipeline = self._pipeline
        if pipeline is not None:
            self._finish(pipeline, ends_at)
        elif len(self._buffer):  # Python starts no thread any more: the spool can still be written.
            self._made().write_rest()

    def stats(self) -> Stats:
        """Return what was counted so far in this process. Looks into the spool, which may take as long as a write."""
        counts, pipeline = self._counts, self._pipeline
        depth, lost = pipeline.storage.depth() if pipeline is not None else (Depth(0, 0, 0, 0), Counter())
        stored = counts.copied(counts.stored)
        return Stats(
            reported=self._buffer.reported,
            stored=stored.get("stored", 0),
            duplicates=stored.get("duplicates", 0),
            refused=counts.copied(counts.refused),
            dropped=dict(lost + Counter(counts.copied(counts.dropped))),  # Without those that are 0.
            buffered=len(self._buffer),
            waiting=depth.waiting,
            parked=depth.parked,
            spool_bytes=depth.bytes,
            requests=counts.copied(counts.requests),
            faults=counts.copied(counts.faults),
        )

    def _finish(self, pipeline: Pipeline, ends_at: float) -> None:
        if self._write_out(ends_at):
            while pipeline.has_work() and pipeline.resumes_at < ends_at and time.monotonic() < ends_at:
                time.sleep(POLL_S)
        pipeline.end(ends_at + POLL_S)
        self._counts.add(self._counts.dropped, "shutdown", pipeline.storage.in_memory())

    def _write_out(self, ends_at: float) -> bool:
        """Have the writer put into the spool what the buffer holds; return whether it has by a moment."""
        self._started()
        taken = self._buffer.taken
        self._buffer.hurry()
        return self._buffer.wait_kept(taken, ends_at)

    def _started(self) -> Pipeline:
        with self._lock:
            return self._start()

    def _start(self) -> Pipeline:
        """Return the pipeline, started if need be; the lock is held."""
        if self._pipeline is None:
            pipeline = self._made()
            pipeline.start()
            self._pipeline = pipeline
        return self._pipeline

    def _made(self) -> Pipeline:
        options = self._options
        age_ms = int(options.spool_days * _DAY_MS)
        storage = Storage(
            self._spool, Bounds(options.spool_bytes, age_ms), Bounds(options.memory_bytes, age_ms), self._counts.fault
        )

        def refused_there(rules: "Counter[str]") -> None:
            if rules:
                self._checker.forget()  # What the server refused for good may be among the terms that passed.
            self._refused(rules)

        sender = Sender(storage, self._connection, self._counts, refused_there)
        return Pipeline(self._buffer, storage, sender, self._counts, self._refused)

    def _refused(self, rules: "Counter[str]") -> None:
        """Count refused events by rule, and tell the host."""
        for rule, events in rules.items():
            self._counts.add(self._counts.refused, rule, events)
            if self._options.on_refused is not None:
                try:
                    self._options.on_refused(rule, events)
                except Exception:  # noqa: BLE001 - the host's code; it must not end ours.
                    self._counts.fault("callback")

    def _forked(self) -> None:
        """Begin anew in a child process: what was reported before is the parent's."""
        if self._pipeline is not None:
            self._pipeline.storage.abandon()
        self._connection.abandon()
        self._begin()


_living: "weakref.WeakSet[Reporter]" = weakref.WeakSet()


_suspended: list[Storage] = []


def _suspend_all() -> None:
    pipelines = [reporter._pipeline for reporter in list(_living)]  # noqa: SLF001 - of this module.
    _suspended[:] = [pipeline.storage for pipeline in pipelines if pipeline is not None]
    for storage in _suspended:
        storage.suspend()


def _resume_all() -> None:
    for storage in _suspended:
        storage.resume()
    _suspended.clear()


def _fork_all() -> None:
    _suspended.clear()
    for reporter in list(_living):
        reporter._forked()  # noqa: SLF001 - of this module.


def _close_all() -> None:
    for reporter in list(_living):
        reporter.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_suspend_all, after_in_parent=_resume_all, after_in_child=_fork_all)
atexit.register(_close_all)
