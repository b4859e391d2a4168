"""Composes a worker's application: pure ASGI, because every layer in between costs each request and each chunk."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

from starlette.datastructures import State

from ingest import logs
from ingest.serving.heartbeat import Heartbeat
from ingest.serving.rebalance import AWAY, Rebalancer
from ingest.serving.tasks import Tasks

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send


def create(shared: object = None) -> Gateway:
    """Return the application of one worker, with settings from the environment."""
    return Gateway(shared)


class Gateway:
    """The ASGI application."""

    def __init__(self, _shared: object) -> None:
        self.state = State()
        self.state.rebalancer = Rebalancer([AWAY], 0)  # For a single worker; with several, the supervisor has one.
        self.state.tasks = Tasks()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        await send({"type": "http.response.start", "status": 404, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def _live(self, receive: Receive, send: Send) -> None:
        logs.capture_libraries()
        logs.capture_loop()
        await receive()
        self.state.tasks.start("pulse", Heartbeat(self.state.tasks.broken).run)
        gc.freeze()
        await send({"type": "lifespan.startup.complete"})
        logs.info("started")
        await receive()
        await self.state.tasks.stop()
        logs.info("stopped")
        await send({"type": "lifespan.shutdown.complete"})
