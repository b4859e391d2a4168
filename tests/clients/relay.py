"""Passes the bytes of clients on to the service as they are, and keeps what it answered, by token."""

import contextlib
import re
import socket
import socketserver
from collections import defaultdict
from collections.abc import Iterator
from threading import Lock, Thread
from typing import NamedTuple

_TOKEN = re.compile(rb"(?i)\r\nauthorization: bearer (\S+)")
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: (\d+)")
_READ_BYTES = 65_536


class Answer(NamedTuple):
    """An answer of the service."""

    status: int
    body: bytes
    head: bytes


class Relay(socketserver.ThreadingTCPServer):
    """Listens on a free port of this machine."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, to: tuple[str, int]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.to = to
        self.lock = Lock()
        self.answers: dict[str, list[Answer]] = defaultdict(list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def keep(self, sent: bytes, received: bytes) -> None:
        """Keep each answer on a connection, under the token of its request: LiteLLM's callbacks share connections."""
        with self.lock:
            for token, answer in zip(_TOKEN.findall(sent), answers_of(received), strict=True):
                self.answers[token.decode()].append(answer)


class _Handler(socketserver.BaseRequestHandler):
    """Relays one connection."""

    def handle(self) -> None:
        relay = self.server
        assert isinstance(relay, Relay)
        sent, received = bytearray(), bytearray()
        with socket.create_connection(relay.to) as service:
            back = Thread(target=_pump, args=(service, self.request, received), daemon=True)
            back.start()
            _pump(self.request, service, sent)
            back.join(timeout=5)
        relay.keep(bytes(sent), bytes(received))


def _pump(source: socket.socket, sink: socket.socket, kept: bytearray) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(_READ_BYTES):
            kept += piece
            sink.sendall(piece)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def answers_of(received: bytes) -> Iterator[Answer]:
    while received:
        head, _, rest = received.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        size = int(length[1]) if length else len(rest)
        yield Answer(int(head.split(b" ")[1]), rest[:size], head)
        received = rest[size:]


@contextlib.contextmanager
def relaying(bind: str) -> Iterator[Relay]:
    """Relay to a service; yield the relay, whose answers are complete when clients have closed their connections."""
    host, _, port = bind.rpartition(":")
    with Relay((host, int(port))) as relay:
        thread = Thread(target=relay.serve_forever, daemon=True)
        thread.start()
        yield relay
        relay.shutdown()
        thread.join()
