"""The limit on log lines per second: the first few of each kind and of all kinds, and a count instead of the rest."""

import os
import threading
from collections import Counter
from typing import Generic, NamedTuple, TypeVar

LINES_OF_A_KIND = 3
KINDS_COUNTED = 3  # Kinds whose counts get their own lines; those of others are summed up in one.
Kind = TypeVar("Kind")


class Suppressed(NamedTuple, Generic[Kind]):
    """A count of unwritten lines of a kind; without a kind, of all others."""

    kind: Kind | None
    lines: int


class Rate(Generic[Kind]):
    """Admits at most `lines_max` lines in each second of the clock, and reports the number of others at its end."""

    def __init__(self, lines_max: int) -> None:
        self._lines_max = lines_max
        self._reset()
        os.register_at_fork(after_in_child=self._reset)  # A thread that the child lacks may hold the lock.

    def _reset(self) -> None:
        self._lock = threading.RLock()  # Reentrant: the collector may run a finalizer that logs at any allocation.
        self._second = -1
        self._written: Counter[Kind] = Counter()
        self._suppressed: Counter[Kind] = Counter()
        self._others = 0

    @property
    def lines_max(self) -> int:
        """Return the maximum of lines per second, including those with counts."""
        return self._lines_max + KINDS_COUNTED + 1

    def admits(self, kind: Kind, second: int) -> bool:
        """Return whether a line may be written; call `due` for this second first."""
        with self._lock:
            self._second = second
            if self._written[kind] < LINES_OF_A_KIND and self._written.total() < self._lines_max:
                self._written[kind] += 1
                return True
            if kind in self._suppressed or len(self._suppressed) < KINDS_COUNTED:
                self._suppressed[kind] += 1
            else:
                self._others += 1
            return False

    def due(self, second: int) -> list[Suppressed[Kind]]:
        """Return the counts of lines withheld before this second, once."""
        with self._lock:
            if second == self._second:
                return []
            suppressed, self._suppressed = self._suppressed, Counter()  # First: a finalizer may add to the new counts.
            others, self._others = self._others, 0
            self._written = Counter()
        found = [Suppressed(kind, count) for kind, count in suppressed.items()]
        return [*found, *([Suppressed(None, others)] if others else [])]
