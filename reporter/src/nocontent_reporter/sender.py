"""Sends what the spools hold, one batch after another, and acts on the answers."""

import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from http import HTTPStatus

from nocontent_reporter import answers, codings, columns, contract, refusals
from nocontent_reporter.answers import Act
from nocontent_reporter.connection import Answer, Connection, Unreachable
from nocontent_reporter.policy import PolicyWatch
from nocontent_reporter.rows import Batch, Piece
from nocontent_reporter.spool import Spool
from nocontent_reporter.stats import Counts
from nocontent_reporter.storage import Storage

TURN_S = 1.0  # While another process sends.
IDLE_S = 15.0  # Until it looks for what another process has left.
BROKEN_S = 5.0  # While the spool's file cannot be written.
AHEAD_MS = 600_000  # Until an event is tried again whose time is ahead of the server's.
Refused = Callable[[Counter[str]], None]


class Sender:
    """Sends; all methods are called by one thread."""

    def __init__(self, storage: Storage, connection: Connection, counts: Counts, refused: Refused) -> None:
        self._storage = storage
        self._connection = connection
        self._counts = counts
        self._refused = refused
        self._watches: dict[Spool, PolicyWatch] = {}
        self._coding: codings.Coding = codings.BEST
        self._events_max = contract.EVENTS_MAX
        self._tries = 0  # Of the batch that is being sent,
        self._is_in_doubt = False  # which one of them may have stored.
        self._has_renumbered = False  # Since a batch was stored.
        self.resumes_at = float("-inf")

    def close(self) -> None:
        self._connection.close()

    def step(self) -> float:
        """Send at most one batch; return the seconds until there may be more to do."""
        if (left_s := self.resumes_at - time.monotonic()) > 0:
            return left_s
        waits: list[float] = []
        for spool in self._storage.spools():
            try:
                wait_s = self._serve(spool)
            except sqlite3.Error as error:
                self._storage.failed(spool, error)
                wait_s = BROKEN_S
            if wait_s == 0:
                return 0
            waits += [] if wait_s is None else [wait_s]
        return min(waits, default=IDLE_S)

    def _serve(self, spool: Spool) -> float | None:
        """Do what is due for a spool; return 0 if a batch was sent."""
        if not (spool.has_work() or spool.has_parked()):
            self._storage.yield_turn(spool)
            return None
        if not self._storage.has_turn(spool):
            return TURN_S
        wall_ms = time.time_ns() // 1_000_000
        batch = spool.next(self._events_max, wall_ms)
        if batch is not None:
            self._send(spool, batch)
            return 0
        watch = self._watches.setdefault(spool, PolicyWatch(self._connection, self._counts))
        wait_s = watch.watch(spool, wall_ms) if spool.has_parked() else None
        self._storage.yield_turn(spool)  # Others would wait as long for what they report.
        return wait_s

    def _send(self, spool: Spool, batch: Batch) -> None:
        try:
            body = batch.wire(self._coding)
        except ValueError:
            self._discard(spool, batch)
            return
        headers = {"Content-Type": "application/json"}
        if self._coding != "identity":
            headers["Content-Encoding"] = self._coding
        self._tries += 1
        try:
            answer = self._connection.request("POST", "/v1/events", body, headers)
        except Unreachable as unreachable:
            self._counts.add(self._counts.requests, unreachable.kind)
            self._is_in_doubt = True
            self._pause(answers.pause_s(None, Act.RETRY, self._tries))
            return
        self._counts.add(self._counts.requests, answer.problem or str(answer.status))
        self._is_in_doubt |= not answers.is_certain(answer)
        act = answers.act_after(answer, batch.events, self._tries)
        if act is Act.RECODE and self._coding not in codings.WORSE:
            act = Act.SLOW
        if act is Act.SLOW:
            self._counts.fault(answer.problem or f"answer-{answer.status}")  # Somebody has to repair it.
        self._act(act, spool, batch, answer)

    def _act(self, act: Act, spool: Spool, batch: Batch, answer: Answer) -> None:
        match act:
            case Act.RETRY | Act.SLOW:
                self._pause(answers.pause_s(answer, act, self._tries))
            case Act.RECODE:
                self._coding = codings.WORSE[self._coding]
            case _:
                self._settle(act, spool, batch, answer)

    def _settle(self, act: Act, spool: Spool, batch: Batch, answer: Answer) -> None:
        """Be done with the bytes of a batch."""
        match act:
            case Act.FORGET:
                self._forget(spool, batch, answer)
            case Act.RENUMBER:
                self._renumber(spool, batch)
            case Act.HALVE:
                if answer.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
                    self._events_max = max(1, min(self._events_max, batch.events // 2))
                self._halve(spool, batch, answer.problem or str(answer.status))
            case Act.JUDGE:
                self._judge(spool, batch, answer)
        if act in {Act.HALVE, Act.JUDGE} and not self._is_in_doubt:
            spool.reuse_sequence(batch)
        self._tries, self._is_in_doubt = 0, False

    def _forget(self, spool: Spool, batch: Batch, answer: Answer) -> None:
        assert answer.stored is not None
        accepted, duplicates = answer.stored
        self._counts.add(self._counts.stored, "stored", accepted + duplicates)
        self._counts.add(self._counts.stored, "duplicates", duplicates)
        self._has_renumbered = False
        spool.done(batch)

    def _renumber(self, spool: Spool, batch: Batch) -> None:
        spool.renumber(batch)
        if self._has_renumbered:  # It did not help the last time.
            self._pause(answers.pause_s(None, Act.SLOW, self._tries))
        self._has_renumbered = True

    def _judge(self, spool: Spool, batch: Batch, answer: Answer) -> None:
        """Take out the events that violations point at; if there are none, send the batch in halves."""
        if any(violation.pointer.startswith("/stream") for violation in answer.violations):
            self._renumber(spool, batch)
            return
        try:
            found = batch.columns()
            blame = refusals.blame(found, answer.violations)
            events = found.events()
        except columns.DAMAGE:
            self._discard(spool, batch)
            return
        if not blame.places:
            self._halve(spool, batch, next((each.rule for each in answer.violations), "rejected"))
            return
        until_ms = time.time_ns() // 1_000_000 + AHEAD_MS
        pieces = [
            Piece([event for place, event in enumerate(events) if place not in blame.places]),
            Piece([events[place] for place in sorted(blame.unknown)], parked_tag=spool.policy_tag()),
            Piece([events[place] for place in sorted(blame.ahead)], parked_until_ms=until_ms),
        ]
        spool.replace(batch, pieces, len(blame.refused))
        self._refused(Counter(blame.refused.values()))

    def _halve(self, spool: Spool, batch: Batch, reason: str) -> None:
        """Put two halves in the place of a batch; the server will not store one event that is alone in it."""
        if batch.events == 1:
            spool.replace(batch, [], 1)
            self._refused(Counter({reason: 1}))
            return
        try:
            events = batch.columns().events()
        except columns.DAMAGE:
            self._discard(spool, batch)
            return
        middle = len(events) // 2
        spool.replace(batch, [Piece(half, is_alone=True) for half in (events[:middle], events[middle:])], 0)

    def _discard(self, spool: Spool, batch: Batch) -> None:
        self._counts.fault("spool-damaged")
        spool.discard(batch)

    def _pause(self, seconds: float) -> None:
        self.resumes_at = time.monotonic() + seconds
