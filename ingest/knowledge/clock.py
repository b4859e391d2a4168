"""Keeps PostgreSQL's time, which decides: read with each snapshot and carried on by the node's monotonic clock.

The node's wall clock decides nothing. It is only compared with PostgreSQL's: if the two disagree, nobody knows which is
right, so nothing is deleted and no batch is refused for its time.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import NamedTuple

from ingest import logs
from ingest.errors import Unavailable
from ingest.knowledge import metrics
from ingest.knowledge.errors import ClockAdrift
from schema.rules import Violation

OFFSET_S_MAX = 60.0  # Between the two clocks: a fifth of AHEAD_MS_MAX.
STEP_DOUBT_S = 300.0  # After a step of PostgreSQL's clock it is in doubt: long enough for a retry or an operator.
REREAD_WAIT_S = 2.0
REREAD_S = 0.05  # Between two readings that refusals ask for.
# Rules about time, and the one that may hide one of them, because the explanation was cut short.
TIME_RULES = frozenset({"time.too-old", "time.in-future", "size.unexplained"})


class Moment(NamedTuple):
    """A reading of this machine's clocks, in seconds."""

    wall_s: float
    elapsed_s: float


class Clock:
    """PostgreSQL's time at any moment; `take` brings it up to date, and before the first reading there is none."""

    def __init__(
        self, wall_s: Callable[[], float] = time.time, elapsed_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._wall_s = wall_s
        self._elapsed_s = elapsed_s
        self._read: Moment | None = None  # PostgreSQL's time, and our monotonic one at that moment.
        self._error_s = 0.0  # A reading can be off by half of its round trip.
        self._stepped_at_s = float("-inf")
        self._was_adrift = False
        self._is_asked = asyncio.Event()  # Somebody asks for a reading before the next is due.
        self._asking: list[tuple[float, asyncio.Future[None]]] = []  # The time of each request, and its waiter.

    def moment(self) -> Moment:
        """Read this machine's clocks, just before PostgreSQL is asked for its own."""
        return Moment(self._wall_s(), self._elapsed_s())

    def take(self, database: datetime, asked: Moment) -> None:
        """Take a reading of PostgreSQL's clock that was asked for at a moment and arrives now."""
        ended_s = self._elapsed_s()
        middle_s = (asked.elapsed_s + ended_s) / 2
        error_s = (ended_s - asked.elapsed_s) / 2
        read = Moment(database.timestamp(), middle_s)
        if self._read is not None:
            step_s = abs(read.wall_s - self._at(self._read, middle_s)) - error_s - self._error_s
            if step_s > OFFSET_S_MAX:
                self._stepped_at_s = ended_s
        self._read, self._error_s = read, error_s
        for asked_s, waiting in self._asking:
            if asked_s <= asked.elapsed_s and not waiting.done():
                waiting.set_result(None)
        self._asking = [(asked_s, waiting) for asked_s, waiting in self._asking if not waiting.done()]

    async def pause(self, longest_s: float) -> None:
        """Wait until the next reading is due, or somebody asks for one."""
        await asyncio.sleep(REREAD_S)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._is_asked.wait(), longest_s - REREAD_S)
        self._is_asked.clear()

    async def confirm(self, violations: tuple[Violation, ...]) -> tuple[Violation, ...]:
        """Return the violations that no clock can be to blame for; raises ClockAdrift if none is left.

        A refused sender drops its batch, so PostgreSQL's time is read once more first: this machine may have slept.
        """
        certain = tuple(violation for violation in violations if violation.rule not in TIME_RULES)
        if certain == violations:
            return violations
        waiting = asyncio.get_running_loop().create_future()
        self._asking.append((self._elapsed_s(), waiting))
        self._is_asked.set()
        try:
            await asyncio.wait_for(waiting, REREAD_WAIT_S)
        except TimeoutError:
            raise Unavailable from None
        if not self.is_doubtful:
            return violations
        if not certain:
            raise ClockAdrift
        return certain

    def report(self) -> None:
        """Set the metric, and log when the clocks begin or cease to disagree."""
        metrics.clock_offset_seconds.set(self.offset_s)
        if self.is_adrift and not self._was_adrift:
            logs.error("clock-adrift", duration_ms=int(abs(self.offset_s) * 1000))
        elif self._was_adrift and not self.is_adrift:
            logs.info("clock-agrees")
        self._was_adrift = self.is_adrift

    def now(self) -> datetime:
        """Return PostgreSQL's time."""
        return datetime.fromtimestamp(self.now_s, UTC)

    @property
    def now_s(self) -> float:
        assert self._read is not None, "authentication stops before the first reading"
        return self._at(self._read, self._elapsed_s())

    @property
    def offset_s(self) -> float:
        """Return how far this node's wall clock is ahead of PostgreSQL's, or 0 before the first reading."""
        return self._wall_s() - self.now_s if self._read is not None else 0.0

    @property
    def is_adrift(self) -> bool:
        """Return whether the clocks disagree by more than OFFSET_S_MAX, however long the reading took."""
        return abs(self.offset_s) - self._error_s > OFFSET_S_MAX

    @property
    def is_doubtful(self) -> bool:
        """Return whether a clock may be to blame for a refusal: adrift, or stepped against our monotonic clock."""
        return self.is_adrift or self._elapsed_s() - self._stepped_at_s < STEP_DOUBT_S

    @staticmethod
    def _at(read: Moment, elapsed_s: float) -> float:
        return read.wall_s + elapsed_s - read.elapsed_s
