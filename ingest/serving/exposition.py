"""`/metrics`: the sums over all workers, for a few scrapers, from one thread of the parent that has nothing else to do.

Answers are a closed set of whole bodies: nothing of a request comes back, and nothing of one is logged.
"""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial

import uvloop
from prometheus_client import CollectorRegistry, exposition
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector
from starlette.types import Receive, Scope, Send

from ingest import errors, logs
from ingest.logs import signals
from ingest.serving.connection import Connection, Connections
from ingest.serving.http1 import Fields
from ingest.serving.wire import Wire

CONNECTIONS_MAX = 32
KEEP_ALIVE_S = 150.0  # Longer than two minutes between two scrapes.
SHARE_MAX = 0.25  # Of a core: whoever asks more often than that waits.
BACKLOG = 64
TEXT = b"text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = b"application/openmetrics-text; version=1.0.0; charset=utf-8"
_ASKED = b"application/openmetrics-text"
_FIELDS: Fields = [
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
]
_STATUSES: Mapping[type[errors.IngestError], int] = {
    errors.BadRequest: 400,
    errors.SlowHead: 408,
    errors.HeadTooLarge: 431,
    errors.VersionUnsupported: 505,
}
_WORDS = {
    400: b"not HTTP/1.1\n", 404: b"only /metrics is here\n", 405: b"only GET and HEAD\n", 408: b"too slow\n",
    431: b"too long\n", 503: b"the samples cannot be read now\n", 505: b"only HTTP/1.1\n",
}  # fmt: skip


class Samples:
    """What one format has now. Those who ask while it is being made share the next one."""

    def __init__(self, make: Callable[[], bytes]) -> None:
        self._make = make
        self._made = b""
        self._began_at = float("-inf")
        self._rests_until = float("-inf")
        self._turn = asyncio.Lock()

    async def read(self) -> bytes:
        """Give samples that were collected after this was asked; raises OSError."""
        asked_at = time.monotonic()
        async with self._turn:
            if self._began_at < asked_at:
                await asyncio.sleep(max(0.0, self._rests_until - time.monotonic()))
                self._began_at = began_at = time.monotonic()
                self._made = self._make()
                took_s = time.monotonic() - began_at
                self._rests_until = time.monotonic() + took_s * (1 / SHARE_MAX - 1)
            return self._made


class Exposition:
    """The ASGI application."""

    def __init__(self, counts: Collector) -> None:
        registry = CollectorRegistry()
        registry.register(counts)
        self._text = Samples(lambda: exposition.generate_latest(registry))
        self._openmetrics = Samples(lambda: _openmetrics(registry))

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        status, media_type, body = await self._answer(scope)
        fields = [(b"content-type", media_type), (b"content-length", b"%d" % len(body))]
        if status == 405:  # noqa: PLR2004 (RFC 9110, section 15.5.6)
            fields.append((b"allow", b"GET, HEAD"))
        await send({"type": "http.response.start", "status": status, "headers": fields})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Scope) -> tuple[int, bytes, bytes]:
        status = self._refusal(scope)
        if not status:
            wants_openmetrics = any(name == b"accept" and _ASKED in value.lower() for name, value in scope["headers"])
            try:
                if wants_openmetrics:
                    return 200, OPENMETRICS, await self._openmetrics.read()
                return 200, TEXT, await self._text.read()
            except OSError:  # No more open files, or the folder of the samples is gone.
                status = 503
        return status, b"text/plain; charset=utf-8", _WORDS[status]

    def _refusal(self, scope: Scope) -> int:
        if fault := scope["state"].get("fault"):
            return _STATUSES[type(fault)]
        if scope["raw_path"] != b"/metrics":
            return 404
        return 0 if scope["method"] in {"GET", "HEAD"} else 405


def _openmetrics(registry: CollectorRegistry) -> bytes:
    made: bytes = openmetrics.generate_latest(registry)  # type: ignore[no-untyped-call]  # The library's.
    return made


def start(listening: socket.socket, counts: Collector) -> None:
    """Answer from a thread that ends with the process."""
    thread = threading.Thread(target=_run, args=(listening, counts), name="exposition", daemon=True)
    with signals.held():  # They are for the thread that waits for them.
        thread.start()


def _run(listening: socket.socket, counts: Collector) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(listening, counts))


async def _serve(listening: socket.socket, counts: Collector) -> None:
    logs.capture_loop()
    app, among = Exposition(counts), Connections(KEEP_ALIVE_S, lambda: _FIELDS, lambda: CONNECTIONS_MAX)
    server = await asyncio.start_server(partial(_connected, app, among), sock=listening, backlog=BACKLOG)
    await server.serve_forever()


async def _connected(
    app: Exposition, among: Connections, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    await Connection(app, among, Wire(reader, writer)).serve()
