"""Runs Hypercorn's listener with our own connections, TLS and the headers of every answer."""

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

SEND_BYTES = 65_536  # Linux doubles it; its own default grows to some megabytes.
HSTS_S = 31_536_000  # A year.
# For a sender to answer the close of TLS, instead of uvloop's 30 s: one that does not read never answers, and would
# delay a stop.
TLS_END_S = 2.0
_HSTS: Headers = [(b"strict-transport-security", b"max-age=%d" % HSTS_S)]


class Listener(Config):
    """Hypercorn's configuration; each worker loads `certificate`, since an OpenSSL context cannot be pickled."""

    include_server_header = False  # It would reveal the server's name.
    certificate: Certificate | None = None
    connections: Connections
    headers: Headers = API_HEADERS  # Of every answer; an application with pages sets its own.

    def create_sockets(self) -> Sockets:
        """Bound the kernel's send buffers, which fill if a sender does not read; connections inherit the bound."""
        made = super().create_sockets()
        for listening in (*made.secure_sockets, *made.insecure_sockets):
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)
        return made

    def response_headers(self, protocol: str) -> Headers:
        return super().response_headers(protocol) + self.headers + (_HSTS if self.ssl_enabled else [])

    def create_ssl_context(self) -> ssl.SSLContext:
        assert self.certificate is not None  # Without a context Hypercorn would serve plain HTTP.
        return self.certificate.context

    def load_certificate(self) -> Certificate | None:
        """Load the certificate from its files, if set, or raise CannotStart."""
        self.certificate = self._certificate()
        return self.certificate

    def check_certificate(self) -> None:
        """Raise CannotStart if `load_certificate` would."""
        self._certificate()

    def _certificate(self) -> Certificate | None:
        if self.certfile is None or self.keyfile is None:
            return None
        return Certificate(self.certfile, self.keyfile)


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
