"""Serves `/metrics`, the sums over all workers, to a few scrapers, from a thread of the parent.

Apart from samples the answers are a fixed set: no part of a request is echoed or logged.
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

from ingest import logs
from ingest.errors import IngestError, Unavailable
from ingest.logs import signals
from ingest.serving.connection import Connection, Connections
from ingest.serving.errors import (
    BadRequest,
    HeadTooLarge,
    MethodNotAllowed,
    NotFound,
    SlowHead,
    VersionUnsupported,
)
from ingest.serving.http1 import Fields
from ingest.serving.steps import rest_s
from ingest.serving.wire import Wire

CONNECTIONS_MAX = 32
KEEP_ALIVE_S = 150.0  # Longer than a scrape interval of two minutes.
SHARE_MAX = 0.25  # Of a core; scrapers that ask for more wait.
BACKLOG = 64
TEXT = b"text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = b"application/openmetrics-text; version=1.0.0; charset=utf-8"
_PLAIN = b"text/plain; charset=utf-8"
_ASKED = b"application/openmetrics-text"
_FIELDS: Fields = [
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
]
# Plain text: no scraper parses a problem.
_FACES: Mapping[type[IngestError], tuple[int, bytes]] = {
    BadRequest: (400, b"not HTTP/1.1\n"),
    NotFound: (404, b"only /metrics is here\n"),
    MethodNotAllowed: (405, b"only GET and HEAD\n"),
    SlowHead: (408, b"too slow\n"),
    HeadTooLarge: (431, b"too long\n"),
    Unavailable: (503, b"the samples cannot be read now\n"),
    VersionUnsupported: (505, b"only HTTP/1.1\n"),
}


class Samples:
    """Samples in one format; requests that arrive while some are collected share the next ones."""

    def __init__(self, make: Callable[[], bytes]) -> None:
        self._make = make
        self._made = b""
        self._began_at = float("-inf")
        self._rests_until = float("-inf")
        self._turn = asyncio.Lock()

    async def read(self) -> bytes:
        """Return samples collected after this call, or raise OSError."""
        asked_at = time.monotonic()
        async with self._turn:
            if self._began_at < asked_at:
                await asyncio.sleep(max(0.0, self._rests_until - time.monotonic()))
                self._began_at = began_at = time.monotonic()
                self._made = self._make()
                took_s = time.monotonic() - began_at
                self._rests_until = time.monotonic() + rest_s(took_s, SHARE_MAX)
            return self._made


class Exposition:
    """The ASGI application."""

    def __init__(self, counts: Collector) -> None:
        registry = CollectorRegistry()
        registry.register(counts)
        self._text = Samples(lambda: exposition.generate_latest(registry))
        self._openmetrics = Samples(lambda: _openmetrics(registry))

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        allow: Fields = []
        try:
            status, (media_type, body) = 200, await self._samples(scope)
        except IngestError as error:
            media_type, (status, body) = _PLAIN, _FACES[type(error)]
            if isinstance(error, MethodNotAllowed):
                allow = [(b"allow", error.allow.encode("ascii"))]
        fields = [(b"content-type", media_type), (b"content-length", b"%d" % len(body)), *allow]
        await send({"type": "http.response.start", "status": status, "headers": fields})
        await send({"type": "http.response.body", "body": body})

    async def _samples(self, scope: Scope) -> tuple[bytes, bytes]:
        """Return the samples and their media type; raises an error of `_FACES`."""
        if "fault" in scope["state"]:
            raise scope["state"]["fault"]
        if scope["raw_path"] != b"/metrics":
            raise NotFound
        if scope["method"] not in {"GET", "HEAD"}:
            raise MethodNotAllowed("GET, HEAD")
        wants_openmetrics = any(name == b"accept" and _ASKED in value.lower() for name, value in scope["headers"])
        try:
            if wants_openmetrics:
                return OPENMETRICS, await self._openmetrics.read()
            return TEXT, await self._text.read()
        except OSError:  # No free file descriptor, or the folder of the samples was removed.
            raise Unavailable from None


def _openmetrics(registry: CollectorRegistry) -> bytes:
    made: bytes = openmetrics.generate_latest(registry)  # type: ignore[no-untyped-call]  # The library's.
    return made


def start(listening: socket.socket, counts: Collector) -> None:
    """Serve from a daemon thread."""
    thread = threading.Thread(target=_run, args=(listening, counts), name="exposition", daemon=True)
    with signals.held():  # A signal delivered to this thread would not wake the one that waits for it.
        thread.start()


def _run(listening: socket.socket, counts: Collector) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(listening, counts))


async def _serve(listening: socket.socket, counts: Collector) -> None:
    logs.capture_loop()
    app, connections = Exposition(counts), Connections(KEEP_ALIVE_S, lambda: _FIELDS, lambda: CONNECTIONS_MAX)
    server = await asyncio.start_server(partial(_connected, app, connections), sock=listening, backlog=BACKLOG)
    await server.serve_forever()


async def _connected(
    app: Exposition, connections: Connections, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    await Connection(app, connections, Wire(reader, writer)).serve()
