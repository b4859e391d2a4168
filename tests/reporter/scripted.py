"""A server that answers as a test says, and stores batches as the service does when the test says nothing."""

import gzip
import http.server
import json
import ssl
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import NamedTuple

import zstandard

from tests.support.certificates import Pair


class Sent(NamedTuple):
    """A request as the server received it, its body decompressed."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def stream(self) -> tuple[str, int]:
        stream = json.loads(self.body)["stream"]
        return stream["id"], stream["sequence"]

    @property
    def ids(self) -> list[str]:
        return list(json.loads(self.body).get("columns", {}).get("event_id", []))

    @property
    def dropped(self) -> dict[str, int]:
        return dict(json.loads(self.body).get("dropped", {}))


class Reply(NamedTuple):
    """An answer; None for a body closes the connection instead."""

    status: int
    body: bytes | None = b""
    headers: Mapping[str, str] = {}
    closes_unsaid: bool = False  # As a server does that has had enough of an idle connection.


Answering = Callable[[Sent], Reply]


def problem(status: int, name: str, *violations: tuple[str, str], **headers: str) -> Reply:
    """Return a problem as the service answers it."""
    pairs = [{"rule": rule, "pointer": pointer, "says": "Do it."} for rule, pointer in violations]
    body = {"type": f"urn:nocontent:problem:{name}", "title": name, "status": status, "violations": pairs}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, json.dumps(body).encode(), {"Content-Type": "application/problem+json", **named})


def html(status: int) -> Reply:
    return Reply(status, b"<html><body>It works!</body></html>", {"Content-Type": "text/html"})


class Scripted:
    """The server's script, what it received, and the events that it stored."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.script: deque[Reply | Answering] = deque()  # For batches, in order.
        self.policies: deque[Reply | Answering] = deque()
        self.sent: list[Sent] = []
        self.stored_at: dict[str, int] = {}  # The number of the request that stored an event.
        self.dropped: dict[str, int] = {}
        self._ledger: dict[tuple[str, int], bytes] = {}
        self._lock = threading.Lock()

    def answer(self, sent: Sent) -> Reply:
        with self._lock:
            self.sent.append(sent)
            if sent.method == "GET":
                reply = self.policies.popleft() if self.policies else Reply(HTTPStatus.NOT_MODIFIED)
            else:
                reply = self.script.popleft() if self.script else self.store
        return reply if isinstance(reply, Reply) else reply(sent)

    def store(self, sent: Sent) -> Reply:
        """Store a batch once, as the ledger and the keys of the service do."""
        with self._lock:
            first = self._ledger.setdefault(sent.stream, sent.body)
            if first != sent.body:
                return problem(409, "sequence-reused")
            new = [each for each in sent.ids if each not in self.stored_at]
            self.stored_at |= dict.fromkeys(new, len(self.sent))
            if first is sent.body:
                for reason, events in sent.dropped.items():
                    self.dropped[reason] = self.dropped.get(reason, 0) + events
        receipt = {"accepted": len(new), "duplicates": len(sent.ids) - len(new)}
        return Reply(200, json.dumps(receipt).encode(), {"Content-Type": "application/json"})

    @property
    def stored(self) -> list[str]:
        return list(self.stored_at)

    @property
    def sequences(self) -> list[int]:
        """Return the sequences of stored batches, sorted."""
        return sorted(sequence for _, sequence in self._ledger)

    @property
    def batches(self) -> list[Sent]:
        return [sent for sent in self.sent if sent.method == "POST"]


@contextmanager
def scripted(pair: Pair | None = None) -> Iterator[Scripted]:
    """Yield a server that listens until the block ends, over TLS if there is a pair."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        script = Scripted(f"{'https' if pair else 'http'}://127.0.0.1:{server.server_port}")
        if pair is not None:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(pair.cert, pair.key)
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        server.script = script  # type: ignore[attr-defined]  # For the handlers.
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield script
        server.shutdown()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a sender that went away."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self._answer(_plain(self.rfile.read(int(self.headers["Content-Length"])), self.headers["Content-Encoding"]))

    def do_GET(self) -> None:
        self._answer(b"")

    def _answer(self, body: bytes) -> None:
        script: Scripted = self.server.script  # type: ignore[attr-defined]  # Set by scripted.
        reply = script.answer(Sent(self.command, self.path, dict(self.headers.items()), body))
        if reply.body is None:
            self.close_connection = True
            return
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.close_connection |= reply.closes_unsaid
        self.wfile.write(reply.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name.
        """Log nothing."""


def _plain(body: bytes, coding: str | None) -> bytes:
    if coding == "gzip":
        return gzip.decompress(body)
    return zstandard.ZstdDecompressor().decompressobj().decompress(body) if coding == "zstd" else body
