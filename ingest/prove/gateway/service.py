"""The service that a proved gateway asks and reports to: it says who may, and keeps what it is sent for the search.

Bearers and events are judged by the real code; there is no database.
"""

import gzip
import http.server
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import NamedTuple

import msgspec
import zstandard

from ingest.knowledge.gateway import REASONS, TAG, GatewaySnapshot, GatewayTenant, GatewayToken
from ingest.knowledge.gateway_keys import NOW_HEADER, GatewayBearer
from ingest.knowledge.keys import Keys
from ingest.knowledge.tokens import Credential
from schema.decode import Refused, Window, decode
from schema.event import Kind
from schema.vocabulary import UNKNOWN, Mode, Names, Vocabulary, shipped_terms

TENANT_ID = 1
KEPT_DAYS = 30
BODY_BYTES_MAX = 4_194_304
_ENTITY_TAG = '"1"'
_TAG_KEY_ID, _VALUE_ID_FIRST = 1, 100


_CODINGS: dict[str | None, Callable[[bytes], bytes]] = {
    None: bytes,
    "gzip": gzip.decompress,
    "zstd": lambda body: zstandard.ZstdDecompressor().decompress(body, BODY_BYTES_MAX),
}


class Served(NamedTuple):
    """A running service: where it is, who may use a gateway, and the bodies that it was sent, decompressed."""

    url: str
    token: str
    bodies: list[bytes]  # With the heads they came with.
    refusals: list[int]  # How many of them `decode` refused, an entry each.
    events: list[int]  # How many events each of the others had.


@contextmanager
def serving(keys: Keys) -> Iterator[Served]:
    """Serve on a free port of this machine until the block ends."""
    credential = Credential.make()
    with _Server(("127.0.0.1", 0), _Handler) as server:
        url = f"http://127.0.0.1:{server.server_port}"
        server.keys = keys
        server.snapshot = GatewaySnapshot(
            1, 0,
            (GatewayToken(credential.token_id, TENANT_ID, credential.secret_sha256),),
            (GatewayTenant(TENANT_ID, tags=(TAG,)),),
        )  # fmt: skip
        server.served = Served(url, str(credential), [], [], [])
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server.served
        server.shutdown()


class QuietServer(http.server.ThreadingHTTPServer):
    """Ends with its process, and says nothing of a gateway that was killed."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing."""


class GatewayHandler(http.server.BaseHTTPRequestHandler):
    """What any service for gateways reads and writes."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.get()

    def do_POST(self) -> None:
        self.post()

    def get(self) -> None:
        """Answer a question about who may."""
        raise NotImplementedError

    def post(self) -> None:
        """Take a report."""
        raise NotImplementedError

    def bearer(self) -> GatewayBearer | None:
        return GatewayBearer.parse((self.headers["Authorization"] or "").removeprefix("Bearer "))

    def body(self) -> bytes | None:
        """Return the body, decompressed; None if that cannot be done."""
        wire = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            return _CODINGS[self.headers["Content-Encoding"]](wire)
        except (KeyError, OSError, EOFError, zlib.error, zstandard.ZstdError):
            return None

    def answer(self, status: HTTPStatus, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        kind = "application/json" if status < HTTPStatus.BAD_REQUEST else "application/problem+json"
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the standard library's name)
        """Log nothing."""


class _Server(QuietServer):
    keys: Keys
    snapshot: GatewaySnapshot
    served: Served


class _Handler(GatewayHandler):
    server: _Server

    def get(self) -> None:
        bearer = self.bearer()
        if bearer is None or not bearer.is_of(self.server.keys, "snapshot"):
            self.answer(HTTPStatus.UNAUTHORIZED, b"")
            return
        now_ms = time.time_ns() // 1_000_000
        body = msgspec.json.encode(msgspec.structs.replace(self.server.snapshot, now_ms=now_ms))
        self.answer(HTTPStatus.OK, body, {"ETag": _ENTITY_TAG, NOW_HEADER: str(now_ms)})

    def post(self) -> None:
        body, bearer = self.body(), self.bearer()
        if body is None:
            self.answer(HTTPStatus.BAD_REQUEST, b"")
            return
        self.server.served.bodies.append(bytes(self.headers) + body)
        if bearer is None or not bearer.is_of(self.server.keys, "events"):
            self.answer(HTTPStatus.UNAUTHORIZED, b"")
            return
        try:
            count = len(decode(body, _vocabulary(), Window.at(time.time_ns() // 1_000_000, KEPT_DAYS)).event_ids) // 16
        except Refused:
            self.server.served.refusals.append(1)
            self.answer(HTTPStatus.UNPROCESSABLE_ENTITY, b'{"type":"urn:nocontent:problem:rejected"}')
            return
        self.server.served.events.append(count)
        self.answer(HTTPStatus.OK, msgspec.json.encode({"accepted": count, "duplicates": 0}))


def _vocabulary() -> Vocabulary:
    terms = {kind: Names({term: place for place, term in enumerate(shipped_terms(kind), 1)}) for kind in Kind}
    known = Vocabulary(dict.fromkeys(Kind, Mode.REFUSE), terms)
    known.add(Kind.TAG_KEY, 0, TAG, _TAG_KEY_ID)
    for value_id, value in enumerate((UNKNOWN, *REASONS), _VALUE_ID_FIRST):
        known.add(Kind.TAG_VALUE, _TAG_KEY_ID, value, value_id)
    return known
