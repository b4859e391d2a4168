"""The load generator against a real server: it counts the responses, and lateness as the sender sees it."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bench.bodies import Request
from bench.child import Tally
from bench.load import LOST, Load

BODY = b"x" * 3_000_000  # More than a socket takes at once.
EVENTS = 10
HELD_S = 0.2


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/hold":
            threading.Event().wait(HELD_S)
        if self.path == "/close":
            self.close_connection = True
            return
        content = b'{"accepted":9,"duplicates":1}' if self.path != "/refuse" else b'{"type":"rejected"}'
        self.send_response(422 if self.path == "/refuse" else 200)
        self.send_header("Content-Length", str(len(content)))
        if self.path == "/last":
            self.send_header("Connection", "close")
        self.end_headers()
        for part in (content[:5], content[5:]):  # An answer may come in pieces.
            self.wfile.write(part)
            self.wfile.flush()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def _run(port: int, paths: list[str], connections: int, gap_s: float) -> Tally:
    """Send a request to each path over some connections, one each gap."""
    head = "POST {} HTTP/1.1\r\nHost: test\r\nContent-Length: {}\r\n\r\n"
    made = (Request(head.format(path, len(BODY)).encode(), BODY, EVENTS) for path in paths)
    load = Load(port, connections)
    try:
        return load.run(made, gap_s, seconds=60)
    finally:
        load.close()


def test_every_answer_is_counted_by_its_kind(port: int) -> None:
    tally = _run(port, ["/"] * 6 + ["/refuse"] * 2, connections=3, gap_s=0.0)
    assert tally.statuses == {200: 6, 422: 2}
    assert (tally.events, tally.refused_events) == (6 * EVENTS, 2 * EVENTS)
    assert (tally.accepted, tally.duplicates) == (6 * 9, 6 * 1)


def test_a_connection_without_an_answer_is_counted_and_replaced(port: int) -> None:
    tally = _run(port, ["/close", "/", "/close", "/"], connections=1, gap_s=0.0)
    assert tally.statuses == {LOST: 2, 200: 2}


def test_a_connection_that_is_said_to_be_closed_is_replaced(port: int) -> None:
    assert _run(port, ["/last"] * 3, connections=1, gap_s=0.0).statuses == {200: 3}


def test_in_an_open_loop_waiting_for_a_connection_counts_as_latency(port: int) -> None:
    tally = _run(port, ["/hold"] * 4, connections=1, gap_s=0.001)
    assert tally.ack_ms.max >= 4 * HELD_S * 1e3 * 0.95  # The last was due at once, and went out after three others.
    assert tally.behind_ms_p99 >= 3 * HELD_S * 1e3 * 0.95


def test_in_a_closed_loop_a_request_waits_for_nobody(port: int) -> None:
    tally = _run(port, ["/hold"] * 4, connections=4, gap_s=0.0)
    assert tally.behind_ms_p99 == 0
    assert tally.requests == 4
