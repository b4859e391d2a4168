"""Senders that open, close and keep connections as they like: none costs more than a little, none for long."""

import contextlib
import resource
import socket
import ssl
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest import connection, wire
from tests.support import customers, sample, service
from tests.support import wire as http
from tests.support.certificates import Authority, Pair
from tests.support.cluster import Cluster
from tests.support.customers import Customer, Wanted
from tests.support.service import Server, wait_until

KEEP_ALIVE_S = 2
UNREAD = 60  # Connections whose answers nobody reads.
MEGABYTE = 1_000_000
_GET = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(scope="module")
def site(postgres: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Customer]]:
    """One worker with few open files, that keeps idle connections for a short time."""
    dsn = postgres.migrated()
    customer = customers.act(dsn, lambda to: customers.add(to, "main", Wanted()))
    log: Path = tmp_path_factory.mktemp("connections") / "serve.log"
    with service.serving(dsn, log, workers=1, keep_alive_s=KEEP_ALIVE_S) as server:
        yield server, customer


@pytest.fixture
def server(site: tuple[Server, Customer]) -> Server:
    return site[0]


@pytest.fixture
def token(site: tuple[Server, Customer]) -> str:
    return site[1].token


@pytest.fixture
def worker(server: Server) -> int:
    return server.workers()[0]


def _opened(server: Server) -> socket.socket:
    host, _, port = server.bind.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=http.TIMEOUT_S)


def _files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def _resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()


def _answer_to(server: Server, request: bytes) -> http.Answer:
    with _opened(server) as probe:
        probe.sendall(request)
        return http.parsed(probe.recv(65_536))


ENDS = {
    "before the first byte": b"",
    "in the midst of a head": b"GET /livez HT",
    "in the midst of a body": b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{",
    "after a request": _GET,
    "after an empty line": b"\r\n",
}


@pytest.mark.parametrize("case", ENDS)
@pytest.mark.parametrize("way", ["closed", "half-closed", "reset"])
def test_who_ends_a_connection_is_let_go_at_once(case: str, way: str, server: Server, worker: int) -> None:
    before = _files(worker)
    with contextlib.ExitStack() as opened:
        probes = [opened.enter_context(_opened(server)) for _ in range(20)]
        for probe in probes:
            probe.sendall(ENDS[case])
            if way == "half-closed":
                probe.shutdown(socket.SHUT_WR)
            elif way == "reset":
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                probe.close()
            else:
                probe.close()
        began_at = time.monotonic()
        wait_until(lambda: _files(worker) <= before)
        assert time.monotonic() - began_at < KEEP_ALIVE_S, "sooner than an idle one is"


def test_a_request_before_a_half_close_is_answered(server: Server) -> None:
    with _opened(server) as probe:
        probe.sendall(_GET)
        probe.shutdown(socket.SHUT_WR)
        assert http.parsed(probe.recv(65_536)).status == 200
        assert probe.recv(65_536) == b""


@pytest.mark.parametrize("first", [b"", _GET], ids=["fresh", "kept"])
def test_an_idle_connection_is_kept_as_long_as_the_setting_says(first: bytes, server: Server) -> None:
    with _opened(server) as probe:
        probe.sendall(first)
        if first:
            assert http.parsed(probe.recv(65_536)).status == 200
        began_at = time.monotonic()
        assert probe.recv(65_536) == b""
        assert KEEP_ALIVE_S - 0.5 < time.monotonic() - began_at < connection.HEAD_S


@pytest.mark.parametrize("path", ["/v1/policy", "/openapi.json", "/livez"])
@pytest.mark.parametrize("times", [1, 500], ids=["alone", "pipelined"])
def test_answers_that_nobody_reads_cost_little(path: str, times: int, server: Server, token: str, worker: int) -> None:
    head = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode("ascii")
    _answer_to(server, head)
    before = _resident_bytes(worker)
    host, _, port = server.bind.rpartition(":")
    with contextlib.ExitStack() as opened:
        for _ in range(UNREAD):
            probe = opened.enter_context(socket.socket())
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            probe.connect((host, int(port)))
            probe.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                probe.send(head * times)
        assert _answer_to(server, _GET).status == 200
        with contextlib.closing(server.sender(token)) as honest:
            assert [honest.post(sample.body()).status for _ in range(20)] == [200] * 20
        assert _resident_bytes(worker) - before < UNREAD * 150_000 + 10 * MEGABYTE


def test_who_does_not_read_an_answer_is_cut_off(server: Server, worker: int) -> None:
    before = _files(worker)
    host, _, port = server.bind.rpartition(":")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        probe.connect((host, int(port)))
        probe.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:  # Until the service reads no more, since nobody takes its answers.
                probe.send(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 1_000)
        began_at = time.monotonic()
        wait_until(lambda: _files(worker) <= before)
        assert time.monotonic() - began_at < wire.ANSWER_S + wire.CLOSE_S


def test_a_head_that_does_not_end_has_its_time(server: Server) -> None:
    """The one slow test of its kind: a byte now and then does not make it longer."""
    with _opened(server) as probe:
        probe.sendall(b"GET /livez HTTP/1.1\r\nX-Slow: ")
        began_at = time.monotonic()
        probe.settimeout(1)
        received = b""
        while not received:
            probe.sendall(b"x")
            with contextlib.suppress(TimeoutError):
                received = probe.recv(65_536)
        assert connection.HEAD_S - 1 < time.monotonic() - began_at < connection.HEAD_S + 10
        answer = http.parsed(received)
    assert (answer.status, answer.problem) == (408, "slow-head")


@pytest.fixture(scope="module")
def secure(postgres: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Pair]]:
    folder = tmp_path_factory.mktemp("secure")
    pair = Authority(folder).issue("one", "ingest.example", "127.0.0.1")
    with service.serving(
        postgres.migrated(), folder / "log", pair=pair, workers=1, keep_alive_s=KEEP_ALIVE_S
    ) as server:
        yield server, pair


def test_who_ends_a_connection_under_tls_is_let_go_at_once(secure: tuple[Server, Pair]) -> None:
    server, pair = secure
    (worker,) = server.workers()
    before = _files(worker)
    plain = [_opened(server) for _ in range(10)]
    half = [_opened(server) for _ in range(10)]
    for probe in half:
        probe.sendall(b"\x16\x03\x01\x02\x00\x01")  # A handshake that goes no further.
    for probe in (*plain, *half):
        probe.close()
    for _ in range(10):
        with pair.trusted().wrap_socket(_opened(server), server_hostname="ingest.example") as probe:
            probe.sendall(b"GET /livez HT")
    began_at = time.monotonic()
    wait_until(lambda: _files(worker) <= before)
    assert time.monotonic() - began_at < KEEP_ALIVE_S
    assert '"level":"error"' not in server.log.read_text()


def test_an_early_refusal_reaches_its_sender_over_tls_too(secure: tuple[Server, Pair]) -> None:
    server, pair = secure
    with pair.trusted().wrap_socket(_opened(server), server_hostname="ingest.example") as probe:
        probe.sendall(b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n" + b" " * 3_000_000)
        received = b""
        with contextlib.suppress(ssl.SSLError, ConnectionError):
            while part := probe.recv(65_536):
                received += part
    answer = http.parsed(received)
    assert (answer.status, answer.problem) == (401, "no-token")
