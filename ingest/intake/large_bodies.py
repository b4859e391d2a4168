"""Shares the worker's time for large bodies: one step of one body in each round of the loop; tenants take turns.

A refused body costs its tenant a rest, during which the tenant's next large body has to wait. A good body costs none,
unless it takes far longer than its events deserve, like a single event within four mebibytes of spaces.
"""

import asyncio
import time
from types import TracebackType
from typing import Self, TypeVar

from ingest.serving import codings
from ingest.serving.steps import Steps, advance, rest_s
from ingest.store.fairness import FairSemaphore
from schema.decode import Refused

SMALL_BYTES = codings.AT_ONCE_BYTES  # A smaller body takes so little time that it need not wait for its turn.
WAITING_MAX = 1_024  # Large bodies of one tenant. `ingest.serving.body_memory` admits fewer.
SHARE_MAX = 0.25  # Of the worker's time, for one tenant's refused bodies.
REST_S_MAX = 5.0
EVENT_S = 10e-6  # Allowed for each event: three times what it takes, from inflating it to its row.
_Made = TypeVar("_Made")


class LargeBodies:
    """The large bodies of one worker; a tenant has one in work at a time, from inflating it to its rows."""

    def __init__(self) -> None:
        self.turns = FairSemaphore(1, 1, WAITING_MAX)
        self._rested_at: dict[int, float] = {}

    def work(self, tenant_id: int) -> "Work":
        return Work(self, tenant_id)

    async def acquire(self, tenant_id: int) -> None:
        """Acquire the turn, after the tenant's rest; raises Overloaded."""
        while True:
            await self._rest(tenant_id)
            await self.turns.acquire(tenant_id)
            if tenant_id not in self._rested_at:
                return
            self.turns.release(tenant_id)  # Another body of the tenant was refused meanwhile.

    async def _rest(self, tenant_id: int) -> None:
        while (rest_s := self._rested_at.get(tenant_id, 0.0) - time.perf_counter()) > 0:  # noqa: ASYNC110 (more may come)
            await asyncio.sleep(rest_s)
        self._rested_at.pop(tenant_id, None)

    def charge(self, tenant_id: int, spent_s: float) -> None:
        """Extend the tenant's rest, so that the time spent is SHARE_MAX of both together."""
        now = time.perf_counter()
        rested_at = max(now, self._rested_at.get(tenant_id, now)) + rest_s(spent_s, SHARE_MAX)
        self._rested_at[tenant_id] = min(rested_at, now + REST_S_MAX)


class Work:
    """The work on one request's body. If the block raises, the time spent is charged to the tenant."""

    def __init__(self, bodies: LargeBodies, tenant_id: int) -> None:
        self._bodies = bodies
        self._tenant_id = tenant_id
        self._spent_s = 0.0
        self.has_turn = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        if isinstance(error, Exception):
            self._charge()
        self._release()

    async def inflate(self, steps: Steps[_Made]) -> _Made:
        """Run steps in the tenant's turn, and keep the turn; raises Overloaded, and what a step raises.

        An inflated body takes memory, so no other body of the tenant is begun before this one is decoded.
        """
        return await self._run(steps)

    def allow(self, seconds: float) -> None:
        """Deduct time that a good body of another format deserves beside that of its events."""
        self._spent_s = max(0.0, self._spent_s - seconds)

    async def decode(self, steps: Steps[_Made]) -> _Made:
        """Run steps in the tenant's turn, and release it; raises Overloaded, and what a step raises."""
        try:
            return await self._run(steps)
        except Refused:
            self._charge()  # Not only at the end of the block: explaining the refusal comes before that.
            raise
        finally:
            self._release()

    async def _run(self, steps: Steps[_Made]) -> _Made:
        if not self.has_turn:
            await self._bodies.acquire(self._tenant_id)
            self.has_turn = True
        while (done := self._step(steps)) is None:
            await self._pass_on()
        await self._pass_on()
        made: _Made = done.value
        return made

    async def _pass_on(self) -> None:
        """Yield a round of the loop to all other work, above all to the writer, and then the turn to other tenants."""
        await asyncio.sleep(0)
        await self._bodies.turns.pass_on(self._tenant_id)

    def _step(self, steps: Steps[_Made]) -> StopIteration | None:
        began = time.thread_time()
        try:
            return advance(steps)
        finally:
            self._spent_s += time.thread_time() - began

    def settle(self, events: int) -> None:
        """Deduct the time allowed for a good body of so many events, and charge the rest."""
        self.allow(events * EVENT_S)
        self._charge()

    def _charge(self) -> None:
        """Charge the tenant for the time spent since the last charge."""
        if self._spent_s:
            self._bodies.charge(self._tenant_id, self._spent_s)
            self._spent_s = 0.0

    def _release(self) -> None:
        if self.has_turn:
            self._bodies.turns.release(self._tenant_id)
            self.has_turn = False
