"""The load generator, and its process: `python -m bench.load` with a plan on standard input.

An HTTP/1.1 client over plain sockets and one select loop, minimal because it shares the cores that it measures. It uses
select() and not epoll, because a schedule needs a timeout in microseconds; that of epoll and libuv is in milliseconds.
"""

import gc
import select
import socket
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import msgspec
from msgspec import Struct

from bench import child
from bench.bodies import Plan, Request, requests
from bench.child import Quantiles, Tally

STALL_S = 60.0
READ_BYTES = 65_536
KEPT_EVENTS_MAX = 10_000_000  # More are made while sending, because they would not fit in memory.
OK, REFUSED = 200, 422
LOST = 0  # Instead of a status: the connection ended without a response.


class _Receipt(Struct):
    accepted: int = 0
    duplicates: int = 0


class _Answer(NamedTuple):
    status: int
    body: bytes
    is_last: bool = False  # The last on its connection.


class _Connection:
    """A connection with at most one request in flight."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.socket = self._connect()
        self.request: Request | None = None
        self.due_at = self.sent_at = 0.0
        self._unsent: list[memoryview] = []
        self._received = bytearray()

    def fileno(self) -> int:
        return self.socket.fileno()

    @property
    def is_sending(self) -> bool:
        return bool(self._unsent)

    def start(self, request: Request, due_at: float) -> None:
        self.request = request
        self.due_at, self.sent_at = due_at, time.perf_counter()
        self._unsent = [memoryview(request.head), memoryview(request.body)]
        self.send()

    def send(self) -> None:
        """Send as much as the kernel accepts."""
        try:
            sent = self.socket.sendmsg(self._unsent)
        except BlockingIOError:
            return
        except (BrokenPipeError, ConnectionResetError):
            self._unsent = []  # The response, or its absence, is still to be read.
            return
        while self._unsent and sent >= len(self._unsent[0]):
            sent -= len(self._unsent.pop(0))
        if sent:
            self._unsent[0] = self._unsent[0][sent:]

    def receive(self) -> _Answer | None:
        """Return the response once it is complete."""
        try:
            part = self.socket.recv(READ_BYTES)
        except ConnectionResetError:
            part = b""
        self._received += part
        answer = _parsed(bytes(self._received)) if part else _Answer(LOST, b"")
        if answer is not None:
            self._received.clear()
            if self._unsent or not part or answer.is_last:  # Answered before the whole body was sent, or not at all.
                self.socket.close()
                self.socket = self._connect()
                self._unsent = []
        return answer

    def _connect(self) -> socket.socket:
        made = socket.create_connection(("127.0.0.1", self.port), timeout=STALL_S)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made.settimeout(0)
        return made


def _parsed(received: bytes) -> _Answer | None:
    head, found, body = received.partition(b"\r\n\r\n")
    if not found:
        return None
    status = int(head[9:12])
    lower = head.lower()
    is_last = b"connection: close" in lower
    if b"transfer-encoding: chunked" in lower:
        return _Answer(status, body, is_last) if body.endswith(b"0\r\n\r\n") else None
    _, _, rest = lower.partition(b"content-length:")
    size = int(rest.partition(b"\r\n")[0]) if rest else 0
    return _Answer(status, body, is_last) if len(body) >= size else None


class Load:
    """Load over connections that stay open from the warm-up to the end."""

    def __init__(self, port: int, connections: int) -> None:
        self._connections = [_Connection(port) for _ in range(connections)]
        self._latencies_s: list[float] = []
        self._behind_s: list[float] = []
        self._statuses: Counter[int] = Counter()
        self._events: Counter[int] = Counter()
        self._receipt = _Receipt()
        self._receipts = msgspec.json.Decoder(_Receipt)

    def run(self, requests: Iterator[Request], gap_s: float, seconds: float) -> Tally:
        """Send until the requests or the time run out, then wait for those in flight.

        With a gap, a request is due at its time whether or not others have been answered, and its latency counts from
        then; without one, it is due when a connection is free.
        """
        self._latencies_s, self._behind_s = [], []
        self._statuses, self._events, self._receipt = Counter(), Counter(), _Receipt()
        cpu_s, started = time.process_time(), time.perf_counter()
        idle = list(self._connections)
        busy: set[_Connection] = set()
        due_at = started
        request = next(requests, None)
        while request is not None or busy:
            now = time.perf_counter()
            while request is not None and idle and due_at <= now:
                connection = idle.pop()
                busy.add(connection)
                connection.start(request, due_at if gap_s else now)
                if gap_s:
                    self._behind_s.append(connection.sent_at - due_at)
                    due_at += gap_s
                now = time.perf_counter()
                request = next(requests, None) if now < started + seconds else None
            wait_s = max(0.0, due_at - now) if request is not None and idle else STALL_S
            idle += self._wait(busy, wait_s)
        return self._tally(time.perf_counter() - started, time.process_time() - cpu_s)

    def close(self) -> None:
        for connection in self._connections:
            connection.socket.close()

    def _wait(self, busy: set[_Connection], wait_s: float) -> Sequence[_Connection]:
        """Wait for the sockets, and return the connections that are free again."""
        sending = [connection for connection in busy if connection.is_sending]
        readable, writable, _ = select.select(busy, sending, (), wait_s)
        assert readable or writable or wait_s < STALL_S, "the service has not answered for a minute"
        for connection in writable:
            connection.send()
        free = []
        for connection in readable:
            answer = connection.receive()
            if answer is not None:
                self._count(connection, answer)
                busy.remove(connection)
                free.append(connection)
        return free

    def _count(self, connection: _Connection, answer: _Answer) -> None:
        assert connection.request is not None
        self._latencies_s.append(time.perf_counter() - connection.due_at)
        self._statuses[answer.status] += 1
        self._events[answer.status] += connection.request.events
        if answer.status == OK and answer.body.startswith(b"{"):
            receipt = self._receipts.decode(answer.body)
            self._receipt.accepted += receipt.accepted
            self._receipt.duplicates += receipt.duplicates

    def _tally(self, seconds: float, cpu_s: float) -> Tally:
        return Tally(
            seconds=seconds,
            events=self._events[OK],
            refused_events=self._events[REFUSED],
            requests=len(self._latencies_s),
            accepted=self._receipt.accepted,
            duplicates=self._receipt.duplicates,
            statuses=dict(self._statuses),
            ack_ms=_quantiles(self._latencies_s),
            behind_ms_p99=_quantiles(self._behind_s).p99,
            cpu_s=cpu_s,
        )


def _quantiles(seconds: Sequence[float]) -> Quantiles:
    ordered = sorted(seconds) or [0.0]
    at = [ordered[min(len(ordered) - 1, int(len(ordered) * part))] * 1e3 for part in (0.5, 0.9, 0.99, 0.999, 1.0)]
    return Quantiles(*at)


class _Client:
    """A client with one plan."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        scenario = plan.scenario
        self._measured = requests(plan)
        self._warm: Iterator[Request] = islice(self._measured, plan.warm_requests)
        if plan.requests * scenario.batch_events <= KEPT_EVENTS_MAX:
            self._warm, self._measured = iter(list(self._warm)), iter(list(self._measured))
        self._gap_s = scenario.batch_events / scenario.events_per_s if scenario.events_per_s else 0.0
        self._load: Load | None = None
        gc.collect()
        gc.freeze()
        gc.disable()  # Our own pauses would count as the service's latency.

    def warm(self) -> Tally:
        self._load = Load(self._plan.port, self._plan.scenario.connections)
        return self._load.run(self._warm, self._gap_s, self._plan.warm_seconds)

    def measure(self) -> Tally:
        assert self._load is not None
        tally = self._load.run(self._measured, self._gap_s, self._plan.seconds)
        self._load.close()
        return tally


if __name__ == "__main__":
    child.play(_Client(msgspec.json.decode(sys.stdin.readline(), type=Plan)))
