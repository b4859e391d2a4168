"""Holds reported events until the writer takes them: bounded, and never waited for by a caller."""

import threading
import time
from collections import Counter, deque
from typing import NamedTuple

from nocontent_reporter.event import Event


class Load(NamedTuple):
    """The contents taken from a buffer."""

    events: list[Event]
    losses: Counter[str]  # By the contract's reason.
    refused: Counter[str]  # By rule; in `losses` too.
    until: int  # The number of reports and losses so far.


class Buffer:
    """A queue between the threads that report and the one that writes; a signal handler may report, too."""

    def __init__(self, events_max: int, batch_events: int, interval_s: float) -> None:
        self._changed = threading.Condition(threading.RLock())  # A handler may interrupt its holder.
        self._events: deque[Event] = deque()
        self._events_max = events_max
        self._interval_s = interval_s
        self._losses: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self._is_hurried = False
        self._is_closed = False
        self.batch_events = batch_events
        self.reported = 0
        self._lost = 0  # Events that the host has lost before it could report them.
        self._kept = 0  # Of both, how many the writer has dealt with.

    def close(self) -> None:
        """Take no more events."""
        with self._changed:
            self._is_closed = True

    def put(self, event: Event) -> bool:
        """Add an event, and return whether it was taken; if there is no room, the oldest is dropped and counted."""
        with self._changed:
            if self._is_closed:
                return False
            self.reported += 1
            if len(self._events) >= self._events_max:
                self._events.popleft()
                self._losses["queue_full"] += 1
            self._events.append(event)
            if len(self._events) == 1 or len(self._events) == self.batch_events:
                self._changed.notify_all()
            return True

    def refuse(self, rule: str) -> None:
        """Count an event that breaks a rule."""
        with self._changed:
            self.reported += 1
            self._refused[rule] += 1
            self._losses["refused"] += 1
            self._changed.notify_all()

    def lose(self, events: int, reason: str) -> None:
        """Count events that the host has lost."""
        with self._changed:
            self._lost += events
            self._losses[reason] += events
            self._changed.notify_all()

    @property
    def taken(self) -> int:
        """Return the number of reports and losses so far."""
        with self._changed:
            return self.reported + self._lost

    def unkept(self) -> int:
        """Return how many of them the writer has not dealt with."""
        with self._changed:
            return self.reported + self._lost - self._kept

    def hurry(self) -> None:
        """Make the writer take what there is without waiting for more."""
        with self._changed:
            self._is_hurried = True
            self._changed.notify_all()

    def take(self) -> Load:
        """Wait until there is something, and then for more of it until the interval or a batch is full; take it."""
        with self._changed:
            while not (self._events or self._losses or self._is_hurried):
                self._changed.wait()
            ends_at = time.monotonic() + self._interval_s
            while len(self._events) < self.batch_events and not self._is_hurried:
                if (left_s := ends_at - time.monotonic()) <= 0:
                    break
                self._changed.wait(left_s)
            return self.take_now()

    def take_now(self) -> Load:
        """Take what there is."""
        with self._changed:
            load = Load(list(self._events), self._losses, self._refused, self.reported + self._lost)
            self._events.clear()
            self._losses, self._refused = Counter(), Counter()
            self._is_hurried = False
            return load

    def keep(self, until: int) -> None:
        """Announce that all reports and losses up to a number are dealt with."""
        with self._changed:
            self._kept = max(self._kept, until)
            self._changed.notify_all()

    def wait_kept(self, until: int, ends_at: float) -> bool:
        """Wait until all up to a number are dealt with, or until a moment; return which."""
        with self._changed:
            while self._kept < until:
                if (left_s := ends_at - time.monotonic()) <= 0:
                    return False
                self._changed.wait(left_s)
            return True

    def __len__(self) -> int:
        return len(self._events)
