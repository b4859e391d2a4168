"""Throttles work that may be slow: runs it in small steps, one request at a time, with rests in between."""

import asyncio
import time
from collections.abc import Iterator

from ingest.serving.steps import rest_s
from ingest.store.fairness import FairSemaphore

SHARE_MAX = 0.25  # Of the worker's time, so that a flood of refused bodies delays only its own explanations.
SLICE_S = 0.002  # Of work at once, plus at most one step; then the loop runs other tasks.
WAITING_MAX = 16  # Requests of one tenant.


class Throttle:
    """Tenants take turns, a slice each; within a tenant, first come, first served."""

    def __init__(self, waiting_max: int = WAITING_MAX, rest_s: float = 0.0) -> None:
        self._turns = FairSemaphore(1, 1, waiting_max)
        self._rest_s = rest_s  # At least, after each slice.
        self._rested_at = 0.0

    async def run(self, tenant_id: int, steps: Iterator[None]) -> None:
        """Run steps to their end, a slice whenever it is the tenant's turn; raises Overloaded before the first."""
        async with self._turns.turn(tenant_id):
            while True:
                await asyncio.sleep(max(0.0, self._rested_at - time.perf_counter()))
                if self._slice(steps):
                    return
                await self._turns.pass_on(tenant_id)

    def _slice(self, steps: Iterator[None]) -> bool:
        """Run some steps, and return whether there are no more.

        CPU time counts: on a busy machine a slice may last ten times as long, and its rest would too.
        """
        began = time.thread_time()
        try:
            return all(time.thread_time() - began < SLICE_S for _ in steps)
        finally:
            spent_s = time.thread_time() - began
            self._rested_at = time.perf_counter() + max(self._rest_s, rest_s(spent_s, SHARE_MAX))
