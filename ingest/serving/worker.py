"""Runs a worker: an application under Hypercorn's listener, with connections of our own.

The parent does not import this: it loads Hypercorn's protocols, which nobody uses, and Hypercorn imports them.
"""

import asyncio
import gc
from collections.abc import Awaitable, Callable, Generator
from multiprocessing.synchronize import Event
from typing import cast

import uvloop
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.asyncio import run as hypercorn_run
from hypercorn.config import Sockets
from hypercorn.utils import wrap_app
from starlette.types import ASGIApp

from ingest import logs
from ingest.errors import CannotStart
from ingest.logs import stdio
from ingest.serving import malloc, worker_counts
from ingest.serving.connection import Connection, Connections, count_max
from ingest.serving.listener import Listener
from ingest.serving.metrics import Task
from ingest.serving.site import Events, Shared, Site
from ingest.serving.tasks import Tasks
from ingest.serving.wire import Wire

POLL_S = 0.1
# For a sender to answer the close of TLS, instead of uvloop's 30 s: one that does not read never answers, and would
# delay a stop.
TLS_END_S = 2.0


def run(site: Site, shared: Shared, events: Events) -> None:
    """Serve in this process until the parent asks it to stop."""
    malloc.keep()
    _require(site.application.check)
    try:
        certificate = site.config.load_certificate()
    except CannotStart:
        logs.error("certificate-not-loaded")
        raise SystemExit(1) from None
    application = site.application.create(shared.application)
    worker_counts.reserve()  # Now that all metrics are declared.
    _require(site.application.confine)  # Now that all files are open.
    gc.enable()
    application.state.rebalancer = shared.rebalancer
    tasks: Tasks[Task] = application.state.tasks

    async def until_asked() -> None:
        balancing = tasks.start("balance", shared.rebalancer.run)
        if certificate is not None:
            tasks.start("certificate", certificate.watch)
        events.is_serving.set()  # Hypercorn calls this once it listens.
        await _set(events.drain)
        balancing.cancel()
        tasks.drain()
        await _set(events.stop)

    with asyncio.Runner(loop_factory=Loop) as runner:
        runner.run(serve(application, site.config, until_asked, site.sockets))


def _require(step: Callable[[], None]) -> None:
    """End this process if a step fails; the parent's passed, but a worker started later reads the settings anew."""
    try:
        step()
    except CannotStart as failure:
        stdio.tell(f"nocontent: {failure}")
        raise SystemExit(1) from None


async def _set(event: Event) -> None:
    while not event.is_set():  # noqa: ASYNC110 (another process sets it)
        await asyncio.sleep(POLL_S)


class Loop(uvloop.Loop):
    """Bounds the close of TLS, for which Hypercorn has no setting."""

    async def create_server(self, *args: object, **kwargs: object) -> asyncio.Server:
        if kwargs.get("ssl") is not None:
            kwargs["ssl_shutdown_timeout"] = TLS_END_S
        server = await super().create_server(*args, **kwargs)  # type: ignore[call-overload]  # As asyncio asks.
        return cast("asyncio.Server", server)


class Peer:
    """Replaces the class that Hypercorn instantiates for each connection."""

    def __init__(self, app: ASGIWrapper, _loop: object, config: Listener, *others: object) -> None:
        reader, writer = cast("tuple[asyncio.StreamReader, asyncio.StreamWriter]", others[-2:])
        self._connection = Connection(cast("ASGIApp", app.app), config.connections, Wire(reader, writer))

    def __await__(self) -> Generator[object]:
        return self._connection.serve().__await__()


async def serve(
    app: ASGIApp, config: Listener, until: Callable[[], Awaitable[None]], sockets: Sockets | None = None
) -> None:
    """Serve until `until` returns, then finish the requests under way."""
    hypercorn_run.TCPServer = Peer  # type: ignore[assignment,attr-defined]  # Hypercorn only awaits it.
    config.connections = Connections(config.keep_alive_timeout, lambda: config.response_headers("h11"), count_max)

    async def end() -> None:
        await until()
        config.connections.end()

    wrapped = wrap_app(app, 0, "asgi")  # type: ignore[arg-type]  # Hypercorn's own ASGI types.
    await hypercorn_run.worker_serve(wrapped, config, sockets=sockets, shutdown_trigger=end)
