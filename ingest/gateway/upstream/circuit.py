"""Leaves an upstream alone that fails again and again, and asks it once in a while whether it is well."""

import random
from collections.abc import Callable
from typing import Literal

FAILURES_MAX = 8  # One after another.
RATE_COUNT_MIN = 40  # Of outcomes in a window, of which half failed.
WINDOW_S = 10.0
OPEN_S = 1.0  # Doubled with each probe that fails, up to:
OPEN_MAX_S = 30.0

State = Literal["closed", "open", "probing"]


class Circuit:
    """Closed while the upstream works; open after failures; then one request is the probe."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.state: State = "closed"
        self._clock = clock
        self._failures = 0  # One after another.
        self._window_ends_s = 0.0
        self._outcomes = self._failed = 0  # In the window.
        self._open_s = OPEN_S
        self._opens_until_s = 0.0

    @property
    def is_shut_out(self) -> bool:
        """Return whether a request would be refused now."""
        return self.state == "probing" or (self.state == "open" and self._clock() < self._opens_until_s)

    @property
    def wait_s(self) -> int:
        """Return the whole seconds until it is worth asking again, one at least."""
        return max(1, round(self._opens_until_s - self._clock()))

    def enter(self) -> None:
        """Note a request, which is not shut out; it is the probe if the circuit is open."""
        if self.state == "open":
            self.state = "probing"

    def succeed(self) -> None:
        """Note that the upstream answered, whatever it said to the request."""
        self._failures = 0
        if self.state != "closed":
            self.state, self._open_s = "closed", OPEN_S
            self._window_ends_s = 0.0
        self._count(0)

    def fail(self) -> None:
        """Note that it did not, or said that it cannot."""
        self._failures += 1
        self._count(1)
        if self.state == "probing":
            self._open_s = min(OPEN_MAX_S, 2 * self._open_s)
            self._open()
        elif self.state == "closed" and (self._failures >= FAILURES_MAX or self._is_rate_high):
            self._open()

    def leave(self) -> None:
        """Note that a request ended without an outcome: its client left. If it was the probe, another may be."""
        if self.state == "probing":
            self.state = "open"

    @property
    def _is_rate_high(self) -> bool:
        return self._outcomes >= RATE_COUNT_MIN and 2 * self._failed >= self._outcomes

    def _count(self, failed: int) -> None:
        now_s = self._clock()
        if now_s >= self._window_ends_s:
            self._window_ends_s = now_s + WINDOW_S
            self._outcomes = self._failed = 0
        self._outcomes += 1
        self._failed += failed

    def _open(self) -> None:
        self.state = "open"
        self._failures = 0
        self._opens_until_s = self._clock() + self._open_s * (1 + random.random() / 4)  # noqa: S311 (spreads probes)
