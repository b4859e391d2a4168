"""Where senders connect: Hypercorn's configuration, what every answer says to a browser, TLS and its ends."""

import asyncio
import ssl
from contextlib import suppress
from typing import cast

import uvloop
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.config import Config

from ingest.tls import Certificate

_Headers = list[tuple[bytes, bytes]]
HSTS_S = 31_536_000  # A year.
# Of uvloop's 30, for a sender's answer to the end of TLS: one that keeps a connection unread gives none, and a stop
# would wait for it.
TLS_END_S = 2.0
# No answer is a page: nothing in one may run, be framed, be guessed at or be kept.
_PLAIN: _Headers = [
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
]
_SECURE: _Headers = [*_PLAIN, (b"strict-transport-security", b"max-age=%d" % HSTS_S)]


class Listener(Config):
    """Of a worker: `certificate` is loaded there, because a context of OpenSSL cannot be sent to another process."""

    include_server_header = False  # It would name the server.
    certificate: Certificate | None = None

    def response_headers(self, protocol: str) -> _Headers:
        return super().response_headers(protocol) + (_SECURE if self.ssl_enabled else _PLAIN)

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


class Peer(TCPServer):
    """A sender may break TLS as it likes: that is no bug of ours, and must not keep a worker from stopping well."""

    async def _close(self) -> None:
        with suppress(OSError):  # ssl.SSLError and TimeoutError are.
            await super()._close()
