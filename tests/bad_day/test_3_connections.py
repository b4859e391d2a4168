"""Senders that open, close and hold connections at will cost the service little, and only for a short time."""

import contextlib
import resource
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.cli.launch import HANDSHAKE_TIMEOUT_S
from ingest.serving import connection, wire
from tests.support import customers, sample, service
from tests.support import wire as http
from tests.support.certificates import Authority, Pair
from tests.support.cluster import Cluster
from tests.support.customers import Customer, CustomerSpec
from tests.support.service import Server, wait_until

KEEP_ALIVE_S = 2
UNREAD = 60  # Connections whose answers nobody reads.
OPEN_FILES = 200
MEGABYTE = 1_000_000
_GET = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(scope="module")
def site(postgres: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Customer]]:
    """Yield a service of one worker with few open files and a short keep-alive."""
    dsn = postgres.migrated()
    customer = customers.act(dsn, lambda to: customers.add(to, "main", CustomerSpec()))
    log: Path = tmp_path_factory.mktemp("connections") / "serve.log"
    with service.serving(dsn, log, workers=1, keep_alive_s=KEEP_ALIVE_S) as server:
        yield server, customer


class Slow(threading.Thread):
    """A sender that holds a connection until the service closes it, after `lasted_s`."""

    def __init__(self, server: Server, first: bytes, drip: bytes, *, is_read: bool) -> None:
        super().__init__(daemon=True)
        self.received = b""
        self.lasted_s = 0.0
        self._began_at = time.monotonic()
        self._is_read = is_read
        self._drip = drip
        host, _, port = server.bind.rpartition(":")
        self._probe = socket.socket()
        self._probe.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        self._probe.connect((host, int(port)))
        self._probe.setblocking(False)
        self.local_port = int(self._probe.getsockname()[1])
        self._probe.send(first)

    def run(self) -> None:
        """Send a byte now and then, which must not extend the time."""
        with self._probe:
            while not self._is_over():
                with contextlib.suppress(BlockingIOError, ConnectionError):
                    self._probe.send(self._drip)
        self.lasted_s = time.monotonic() - self._began_at

    def _is_over(self) -> bool:
        waiting = select.poll()
        waiting.register(self._probe, select.POLLIN if self._is_read else select.POLLHUP)
        found = waiting.poll(500)
        if found and self._is_read:
            with contextlib.suppress(ConnectionError):
                self.received = self._probe.recv(65_536)
        return bool(found)


@pytest.fixture(scope="module", autouse=True)
def slow(site: tuple[Server, Customer]) -> dict[str, Slow]:
    """Return two slow senders that take as long as they may, while the other tests run."""
    unread = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 300
    made = {
        "head": Slow(site[0], b"GET /livez HTTP/1.1\r\nX-Slow: ", b"x", is_read=True),
        "answer": Slow(site[0], unread, b"x", is_read=False),
    }
    for each in made.values():
        each.start()
    return made


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
        assert _resident_bytes(worker) - before < UNREAD * 150_000 + 5 * MEGABYTE


def _told(server: Server, path: str) -> int:
    try:
        return _answer_to(server, f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode("ascii")).status
    except OSError:
        return 0


@pytest.fixture(scope="module")
def handshake(secure: tuple[Server, Pair]) -> Slow:
    """Return a TLS handshake that stops at its beginning, with its connection accepted."""
    server, _ = secure
    (worker,) = server.workers()
    begun = Slow(server, b"\x16\x03\x01\x02\x00\x01", b"", is_read=True)
    wait_until(lambda: server.holds(worker, begun.local_port))
    begun.start()
    return begun


@pytest.fixture(scope="module")
def secure(postgres: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Pair]]:
    folder = tmp_path_factory.mktemp("secure")
    pair = Authority(folder).issue("one", "ingest.example", "127.0.0.1")
    with service.serving(
        postgres.migrated(), folder / "log", pair=pair, workers=1, keep_alive_s=KEEP_ALIVE_S
    ) as server:
        yield server, pair


def test_who_ends_a_connection_under_tls_is_let_go_at_once(secure: tuple[Server, Pair], handshake: Slow) -> None:
    server, pair = secure
    assert handshake.is_alive()
    (worker,) = server.workers()
    before = _files(worker)
    plain = [_opened(server) for _ in range(10)]
    half = [_opened(server) for _ in range(10)]
    for probe in half:
        probe.sendall(b"\x16\x03\x01\x02\x00\x01")  # A handshake that stops here.
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


def test_a_handshake_that_does_not_end_has_its_time(handshake: Slow) -> None:
    handshake.join(2 * HANDSHAKE_TIMEOUT_S)
    assert HANDSHAKE_TIMEOUT_S - 1 < handshake.lasted_s < HANDSHAKE_TIMEOUT_S + 10


def test_a_head_that_does_not_end_has_its_time(slow: dict[str, Slow]) -> None:
    slow["head"].join(2 * connection.HEAD_S)
    assert connection.HEAD_S - 1 < slow["head"].lasted_s < connection.HEAD_S + 10
    answer = http.parsed(slow["head"].received)
    assert (answer.status, answer.problem) == (408, "slow-head")


def test_who_does_not_read_an_answer_is_cut_off(slow: dict[str, Slow]) -> None:
    slow["answer"].join(2 * wire.ANSWER_S)
    assert wire.ANSWER_S - 1 < slow["answer"].lasted_s < wire.ANSWER_S + 10


def test_more_connections_than_open_files_keep_nobody_out(server: Server, token: str, worker: int) -> None:
    """A new connection closes the one idle for longest; the newest ones and known ones are served.

    So this comes after the tests of those that wait.
    """
    soft, hard = resource.prlimit(worker, resource.RLIMIT_NOFILE)
    with contextlib.ExitStack() as opened:
        known = opened.enter_context(contextlib.closing(server.sender(token)))
        assert known.post(sample.body()).status == 200
        resource.prlimit(worker, resource.RLIMIT_NOFILE, (_files(worker) + 40, hard))
        try:
            for _ in range(OPEN_FILES):
                opened.enter_context(_opened(server))
            wait_until(lambda: _told(server, "/livez") == 200)
            # It has waited longest of all and was not closed, because its last request had a valid token.
            assert known.post(sample.body()).status == 200
        finally:
            resource.prlimit(worker, resource.RLIMIT_NOFILE, (soft, hard))
    wait_until(lambda: _told(server, "/readyz") == 200)
    with contextlib.closing(server.sender(token)) as honest:
        assert honest.post(sample.body()).status == 200
    assert '"event":"bug"' not in server.log.read_text()
