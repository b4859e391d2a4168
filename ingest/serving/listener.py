"""Hypercorn's configuration, with our own TLS and the headers of every answer."""

import socket
import ssl
import time

from hypercorn.config import Config, Sockets

from ingest.serving.application import API_HEADERS, Headers
from ingest.serving.connection import Connections
from ingest.serving.tls import Certificate

SEND_BYTES = 65_536  # Linux doubles it; its own default grows to some megabytes.
HSTS_S = 31_536_000  # A year.
_HSTS: Headers = [(b"strict-transport-security", b"max-age=%d" % HSTS_S)]


class Listener(Config):
    """Hypercorn's configuration; each worker loads `certificate`, since an OpenSSL context cannot be pickled."""

    include_server_header = False  # It would reveal the server's name.
    certificate: Certificate | None = None
    connections: Connections
    headers: Headers = API_HEADERS  # Of every answer; an application with pages sets its own.
    _made_s = -1
    _made: Headers = API_HEADERS

    def create_sockets(self) -> Sockets:
        """Bound the kernel's send buffers, which fill if a sender does not read; connections inherit the bound."""
        made = super().create_sockets()
        for listening in (*made.secure_sockets, *made.insecure_sockets):
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)
        return made

    def response_headers(self, protocol: str) -> Headers:
        now_s = int(time.time())
        if now_s != self._made_s:  # The date has a second as its unit, and takes longer than all else here.
            made = super().response_headers(protocol) + self.headers + (_HSTS if self.ssl_enabled else [])
            self._made_s, self._made = now_s, made
        return self._made

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
