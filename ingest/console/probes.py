"""Probes: `/livez` reports whether the process works, `/readyz` whether it is ready for visitors."""

import asyncio
import time

from starlette.requests import Request
from starlette.responses import Response

from ingest.errors import NotReady, Overloaded, Unavailable
from ingest.store.visits import Visits

ASK_S = 2.0
FRESH_S = 10.0


class Database:
    """Asks every few seconds whether the database answers as the console's role."""

    def __init__(self, visits: Visits) -> None:
        self._visits = visits
        self._answered_at = float("-inf")

    @property
    def is_fresh(self) -> bool:
        return time.monotonic() - self._answered_at < FRESH_S

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            try:
                await self._visits.ask()
                self._answered_at = time.monotonic()
            except (Overloaded, Unavailable):
                pass
            await asyncio.sleep(ASK_S)


async def get_livez(request: Request) -> Response:
    """Return 200 while every task of the worker runs; raises NotReady."""
    if broken := request.app.state.tasks.broken:
        raise NotReady(tuple(sorted(broken)))
    return Response("ok\n", media_type="text/plain")


async def get_readyz(request: Request) -> Response:
    """Return 200 while the database answers with every erasure, and the worker is not stopping; raises NotReady."""
    state = request.app.state
    failing = [*(["stopping"] if state.tasks.is_stopping else []), *([] if state.database.is_fresh else ["database"])]
    if state.restores is not None and not state.restores.is_clear:
        failing.append("erasures")
    failing += sorted(state.tasks.broken)
    if failing:
        raise NotReady(tuple(failing))
    return Response("ok\n", media_type="text/plain")
