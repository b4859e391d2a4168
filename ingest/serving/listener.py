"""Listens with Hypercorn, answers with `ingest.serving.connection`, and adds headers for browsers; TLS."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Generator
from typing import cast

import uvloop
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.asyncio import run as hypercorn_run
from hypercorn.config import Config, Sockets
from hypercorn.utils import wrap_app
from starlette.types import ASGIApp

from ingest.serving.application import API_HEADERS, Headers
from ingest.serving.connection import Connection, Connections, count_max
from ingest.serving.tls import Certificate
from ingest.serving.wire import Wire

SEND_BYTES = 65_536  # Linux keeps twice that; by itself it would go to some megabytes.
HSTS_S = 31_536_000  # A year.
# Of uvloop's 30, for a sender's answer to the end of TLS: one that keeps a connection unread gives none, and a stop
# would wait for it.
TLS_END_S = 2.0
_HSTS: Headers = [(b"strict-transport-security", b"max-age=%d" % HSTS_S)]


class Listener(Config):
    """Of a worker: `certificate` is loaded there, because a context of OpenSSL cannot be sent to another process."""

    include_server_header = False  # It would name the server.
    certificate: Certificate | None = None
    connections: Connections
    headers: Headers = API_HEADERS  # Of every answer; an application with pages has its own.

    def create_sockets(self) -> Sockets:
        """Bound what the kernel keeps of answers that nobody reads; connections inherit it."""
        made = super().create_sockets()
        for listening in (*made.secure_sockets, *made.insecure_sockets):
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)
        return made

    def response_headers(self, protocol: str) -> Headers:
        return super().response_headers(protocol) + self.headers + (_HSTS if self.ssl_enabled else [])

    def create_ssl_context(self) -> ssl.SSLContext:
        assert self.certificate is not None  # Without a context Hypercorn would speak plain HTTP.
        return self.certificate.context

    def load_certificate(self) -> Certificate | None:
        """Load what the files have now, if there are any; raises CannotStart."""
        self.certificate = self._certificate()
        return self.certificate

    def check_certificate(self) -> None:
        """Raise CannotStart where `load_certificate` would."""
        self._certificate()

    def _certificate(self) -> Certificate | None:
        if self.certfile is None or self.keyfile is None:
            return None
        return Certificate(self.certfile, self.keyfile)


class Loop(uvloop.Loop):
    """Hypercorn has no setting for the end of TLS."""

    async def create_server(self, *args: object, **kwargs: object) -> asyncio.Server:
        if kwargs.get("ssl") is not None:
            kwargs["ssl_shutdown_timeout"] = TLS_END_S
        server = await super().create_server(*args, **kwargs)  # type: ignore[call-overload]  # As asyncio asks.
        return cast("asyncio.Server", server)


class Peer:
    """What Hypercorn makes of each connection, in the place of its own."""

    def __init__(self, app: ASGIWrapper, _loop: object, config: Listener, *others: object) -> None:
        reader, writer = cast("tuple[asyncio.StreamReader, asyncio.StreamWriter]", others[-2:])
        self._connection = Connection(cast("ASGIApp", app.app), config.connections, Wire(reader, writer))

    def __await__(self) -> Generator[object]:
        return self._connection.serve().__await__()


async def serve(
    app: ASGIApp, config: Listener, until: Callable[[], Awaitable[None]], sockets: Sockets | None = None
) -> None:
    """Answer until then; and then those that have a request under way."""
    hypercorn_run.TCPServer = Peer  # type: ignore[assignment,attr-defined]  # All that it asks of it.
    config.connections = Connections(config.keep_alive_timeout, lambda: config.response_headers("h11"), count_max)

    async def end() -> None:
        await until()
        config.connections.end()

    wrapped = wrap_app(app, 0, "asgi")  # type: ignore[arg-type]  # Hypercorn's own ASGI types.
    await hypercorn_run.worker_serve(wrapped, config, sockets=sockets, shutdown_trigger=end)
