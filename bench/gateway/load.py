"""The load generator: `python -m bench.gateway.load` with a plan on standard input; prints what it measured."""

import asyncio
import gc
import sys
import time
from collections import Counter
from typing import cast

import msgspec
import uvloop
from msgspec import Struct

from bench.gateway.upstream import HOLD_TOKENS

BODY_BYTES = 3_600
STALL_S, POLL_S = 60.0, 0.05
LAST_CHUNK = b"0\r\n\r\n"
_WORDS = "Which way is shorter, over the bridge or along the river? "


class Plan(Struct, frozen=True):
    """A request to repeat, and for how long."""

    port: int
    path: str
    fields: dict[str, str]
    connections: int
    seconds: float
    streams: bool = False
    holds: bool = False  # Streams that begin and do not end; the generator then waits for its standard input to close.
    max_tokens: int = 1_024


class Measured(Struct, frozen=True):
    """The rate and the times, in ms, of the requests of a load."""

    requests_s: float
    p50_ms: float
    p99_ms: float
    first_byte_p50_ms: float
    failed: int
    answered: int  # With those before and after the measurement.


def request(plan: Plan) -> bytes:
    """Return the request, the same each time."""
    asked: dict[str, object] = {
        "model": "claude-opus-4-5-20251101",
        "max_tokens": HOLD_TOKENS if plan.holds else plan.max_tokens,
        "stream": plan.streams or plan.holds,
        "system": "Answer in one sentence.",
        "messages": [{"role": "user", "content": ""}],
    }
    left = BODY_BYTES - len(msgspec.json.encode(asked))
    asked["messages"] = [{"role": "user", "content": (_WORDS * (left // len(_WORDS) + 1))[:left]}]
    body = msgspec.json.encode(asked)
    fields = "".join(f"{name}: {value}\r\n" for name, value in plan.fields.items())
    head = f"POST {plan.path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n{fields}"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode("ascii") + body


class Load:
    """All connections' figures."""

    def __init__(self, plan: Plan) -> None:
        self.request = request(plan)
        self.latencies_s: list[float] = []
        self.first_bytes_s: list[float] = []
        self.statuses: Counter[int] = Counter()
        self.lost = 0
        self.is_over = False
        self.holds = plan.holds
        self.held = asyncio.Event()
        self.connections = plan.connections


class Sender(asyncio.Protocol):
    """A connection that sends the next request once it has the answer to the last."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._began_s = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._next()

    def connection_lost(self, _exc: Exception | None) -> None:
        self._load.lost += not self._load.is_over

    def data_received(self, data: bytes) -> None:
        if not self._received:
            self._load.first_bytes_s.append(time.perf_counter() - self._began_s)
        self._received += data
        if self._load.holds:
            if len(self._load.first_bytes_s) == self._load.connections:
                self._load.held.set()
        elif _is_whole(self._received):
            self._load.latencies_s.append(time.perf_counter() - self._began_s)
            self._load.statuses[int(self._received[9:12])] += 1
            self._next()

    def _next(self) -> None:
        self._received.clear()
        assert self._transport is not None
        if not self._load.is_over:
            self._began_s = time.perf_counter()
            self._transport.write(self._load.request)


def _is_whole(received: bytearray) -> bool:
    end = received.find(b"\r\n\r\n")
    if end < 0:
        return False
    head = bytes(received[:end]).lower()
    if b"transfer-encoding: chunked" in head:
        return received.endswith(LAST_CHUNK)
    return len(received) >= end + 4 + int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])


async def _until(load: Load, answers: int) -> None:
    async with asyncio.timeout(STALL_S):
        while len(load.latencies_s) < answers:  # noqa: ASYNC110 (it is counted elsewhere)
            await asyncio.sleep(POLL_S)


async def _run(plan: Plan) -> Measured | None:
    loop, load = asyncio.get_running_loop(), Load(plan)
    gc.disable()
    for _ in range(plan.connections):
        await loop.create_connection(lambda: Sender(load), "127.0.0.1", plan.port)
    if plan.holds:
        async with asyncio.timeout(STALL_S):
            await load.held.wait()
        print("held", flush=True)
        await loop.run_in_executor(None, sys.stdin.read)
        return None
    await asyncio.sleep(min(1.0, plan.seconds / 4))  # Warms up; LiteLLM's first answer takes seconds.
    await _until(load, plan.connections)
    for figures in (load.latencies_s, load.first_bytes_s):
        figures.clear()
    began_s = time.perf_counter()
    await asyncio.sleep(plan.seconds)
    await _until(load, 1)
    spent_s = time.perf_counter() - began_s
    load.is_over = True
    latencies_s, first_bytes_s = sorted(load.latencies_s), sorted(load.first_bytes_s)
    count = len(latencies_s)
    return Measured(
        requests_s=count / spent_s,
        p50_ms=latencies_s[count // 2] * 1e3,
        p99_ms=latencies_s[count * 99 // 100] * 1e3,
        first_byte_p50_ms=first_bytes_s[len(first_bytes_s) // 2] * 1e3,
        answered=load.statuses.total(),
        failed=load.lost + sum(count for status, count in load.statuses.items() if status != 200),
    )


if __name__ == "__main__":
    measured = uvloop.run(_run(msgspec.json.decode(sys.stdin.readline(), type=Plan)))
    if measured is not None:
        print(msgspec.json.encode(measured).decode())
