"""The ASGI application of a worker: finds the door of a request, and answers what fails.

Pure ASGI: each layer in between would cost every request and every chunk.
"""

import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

from starlette.datastructures import State
from starlette.types import Receive, Scope, Send

from ingest import logs
from ingest.errors import Bug
from ingest.gateway import faults, metrics
from ingest.gateway.doors import door_of
from ingest.gateway.fields import Fields
from ingest.gateway.forward import Forwarder, Request
from ingest.gateway.records import Door, Shape
from ingest.gateway.reply import Reply
from ingest.gateway.upstream.errors import UpstreamFailure
from ingest.serving.errors import ClientGone, MethodNotAllowed, NotFound
from ingest.serving.rebalance import AWAY, Rebalancer
from ingest.serving.tasks import Tasks

Probe = Callable[[], tuple[str, ...]]  # Returns the names of the checks that fail.
_PLAIN: Fields = [(b"content-type", b"text/plain; charset=utf-8")]
_FAILED = (UpstreamFailure, faults.Redirected)


class Gateway:
    """Answers requests; `live` is the application's lifespan."""

    def __init__(self, live: Callable[["Gateway", Receive, Send], Awaitable[None]]) -> None:
        self.state = State()
        self.state.rebalancer = Rebalancer([AWAY], 0)  # For a single worker; with several, the supervisor has one.
        self.state.tasks = Tasks()
        self.forwarder: Forwarder | None = None  # From the start of the lifespan on.
        self.probes: Mapping[bytes, Probe] = {}
        self.under_way = 0  # Requests.
        self._live = live

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(self, receive, send)
            return
        rebalancer = self.state.rebalancer
        reply = Reply(send, self._closes)
        rebalancer.enter()
        self.under_way += 1
        try:
            await self._answer(scope, receive, reply)
        finally:
            self.under_way -= 1
            rebalancer.leave()

    def _closes(self) -> bool:
        is_stopping: bool = self.state.tasks.is_stopping
        sends_away: bool = not is_stopping and self.state.rebalancer.sends_away()
        return is_stopping or sends_away

    async def _answer(self, scope: Scope, receive: Receive, reply: Reply) -> None:
        path = scope["raw_path"]
        probe = self.probes.get(path)
        if probe is not None:
            await _probe(probe, reply)
            return
        door = door_of(path)
        outcome: metrics.Outcome = "refused"
        try:
            outcome = await self._forward(door, scope, receive, reply)
        except ClientGone:
            outcome = "cancelled"
        except faults.KNOWN as error:
            outcome = "failed" if isinstance(error, _FAILED) else "refused"
            await _refuse("messages" if door is None else door.shape, error, reply)
        except Exception as error:
            # Its message may quote the request, so nobody gets it.
            logs.error("bug", error=type(error).__name__, place=logs.place_of(error))
            outcome = "failed"
            if not reply.has_begun:
                await _refuse("messages" if door is None else door.shape, Bug(), reply)
        finally:
            if door is not None:
                metrics.of_requests[door.name, outcome].inc()

    async def _forward(self, door: Door | None, scope: Scope, receive: Receive, reply: Reply) -> metrics.Outcome:
        if "fault" in scope["state"]:
            raise scope["state"]["fault"]
        if door is None or self.forwarder is None or not self.forwarder.has(door):
            raise NotFound
        if scope["method"] != door.method:
            raise MethodNotAllowed(door.method)
        return await self.forwarder.forward(Request(door, scope, receive, time.monotonic_ns()), reply)


async def _refuse(shape: Shape, error: Exception, reply: Reply) -> None:
    request_id = str(uuid.uuid4())
    fault = faults.FACES[type(error)].fault
    metrics.faults.labels(fault).inc()
    logs.info("refused", request_id=request_id, problem=fault)
    await reply.whole(*faults.refusal(shape, error, request_id))


async def _probe(probe: Probe, reply: Reply) -> None:
    failing = probe()
    body = f"{' '.join(failing)}\n" if failing else "ok\n"
    await reply.whole(HTTPStatus.SERVICE_UNAVAILABLE if failing else HTTPStatus.OK, _PLAIN, body.encode("ascii"))
