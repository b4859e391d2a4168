"""Attacks by hostile senders with connections, frames and responses, and on the metrics port."""

import asyncio
import contextlib
import resource
import socket
import time
from collections import Counter
from collections.abc import Iterator, Sequence

from ingest.prove import frames
from tests.soak.attacks_bodies import NO_BYTES
from tests.soak.child import Desk
from tests.soak.order import Order
from tests.support.connection import address_of, get, opened

LANES = 4
WAIT_S = 2.0
FEW_FILES = 400  # Fewer than the connections of the attack on them.
CONNECTING_MAX = 50  # At once, of that attack: what waits to be accepted is not yet anybody's.
FLOOD_BYTES = 1_000_000
PIPELINED = 200


async def unread_answers(order: Order, desk: Desk, answers: "Counter[str]") -> None:
    """Request a large public response repeatedly over each connection, and read none."""
    await _unread(order, desk, answers, get("/openapi.json") * PIPELINED)


async def unread_policies(order: Order, desk: Desk, answers: "Counter[str]") -> None:
    """Do so with the policy, which is larger and the tenant's own."""
    await _unread(order, desk, answers, get("/v1/policy", order.token))


async def unread_probes(order: Order, desk: Desk, answers: "Counter[str]") -> None:
    """Do so with many small responses."""
    await _unread(order, desk, answers, get("/livez") * PIPELINED)


async def _unread(order: Order, desk: Desk, answers: "Counter[str]", request: bytes) -> None:
    """Hold many connections; replace those that are cut off."""
    ends_at = time.monotonic() + max(order.units, order.seconds_min)
    connecting = asyncio.Semaphore(CONNECTING_MAX)

    async def hold() -> None:
        while time.monotonic() < ends_at:
            with socket.socket() as made:
                made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
                made.setblocking(False)
                try:
                    async with connecting:
                        await asyncio.get_running_loop().sock_connect(made, address_of(order.bind))
                    answers[await _fill(made, request, ends_at)] += 1
                except OSError as error:
                    answers[f"cut: {type(error).__name__}"] += 1
                    await asyncio.sleep(WAIT_S)

    await asyncio.gather(desk.note_seconds(ends_at), *(hold() for _ in range(order.connections)))


async def _fill(made: socket.socket, request: bytes, ends_at: float) -> str:
    """Send until the buffers are full; raise OSError when the service closes the connection."""
    while time.monotonic() < ends_at:
        with contextlib.suppress(BlockingIOError):
            made.send(request)
        await asyncio.sleep(WAIT_S)
        with contextlib.suppress(BlockingIOError):
            if not request and not made.recv(1):
                raise ConnectionResetError
    return "held to the end"


async def instantly_closed(order: Order, desk: Desk, answers: "Counter[str]") -> None:
    """Connect and leave, as a health check of TCP does: before the first byte, in a head, with a reset."""
    firsts = [b"", b"GET /livez HT", b"\r\n", b"POST /v1/events HTTP/1.1\r\nHost: soak\r\nContent-Length: 9\r\n\r\n{"]
    await _sends(order, desk, answers, firsts, is_heard=False)


async def h2_floods(order: Order, desk: Desk, answers: "Counter[str]") -> None:
    """Send a megabyte of frames that request nothing."""
    priorities = frames.PREFACE + frames.priorities(FLOOD_BYTES // 14)
    settings = frames.PREFACE + frames.SETTINGS * (FLOOD_BYTES // 9)
    await _sends(order, desk, answers, [priorities, settings, priorities[len(frames.PREFACE) :]], is_heard=True)


async def h2_upgrades(order: Order, desk: Desk, answers: "Counter[str]") -> None:
    head = "GET /livez HTTP/1.1\r\nHost: soak\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    requests = [
        f"{head}HTTP2-Settings: {settings}\r\n\r\n" for settings in ("AAMAAABkAAQAoAAAAAIAAAAA", "x", "A" * 9_000)
    ]
    websocket = "GET /livez HTTP/1.1\r\nHost: soak\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    await _sends(order, desk, answers, [each.encode("ascii") for each in (*requests, websocket)], is_heard=True)


async def smuggled(order: Order, desk: Desk, answers: "Counter[str]") -> None:
    """Send requests that hide others, and bytes that are not requests."""
    await _sends(order, desk, answers, list(_smuggling(order.token)), is_heard=True)


def _smuggling(token: str) -> Iterator[bytes]:
    head = f"POST /v1/events HTTP/1.1\r\nHost: soak\r\nAuthorization: Bearer {token}\r\n"
    hidden = "GET /v1/policy HTTP/1.1\r\nHost: soak\r\n\r\n"
    for framing in (
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "Content-Length: 3\r\nContent-Length: 30\r\n\r\nabc",
        "X: y\r\n Content-Length: 30\r\n\r\n",
        "X: y\nContent-Length: 30\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n" + "1;a=b\r\nx\r\n" * 5_000 + "zz\r\n",
        "Transfer-Encoding: chunked\r\n\r\n" + "f" * 100_000,
        "Transfer-Encoding: chunked\r\n\r\n0\r\n" + "X-Note: y\r\n" * 10_000,
    ):
        yield (head + framing + hidden).encode("ascii")
    yield b"\x16\x03\x01\x02\x00" + bytes(range(256)) * 100
    yield b"\r\n" * 100_000
    yield head.encode("ascii") + b"X-Note: y\r\n" * 10_000
    yield b"A" * 100_000


async def _sends(
    order: Order, desk: Desk, answers: "Counter[str]", requests: Sequence[bytes], *, is_heard: bool
) -> None:
    """Send each over a new connection, for the time of the attack and until all units are done."""
    ends_at = time.monotonic() + order.seconds_min

    async def lane(first: int) -> None:
        number = first
        while desk.done < order.units or time.monotonic() < ends_at:
            number += 1
            desk.note(1)
            try:
                answers[await _exchange(order.bind, requests[number % len(requests)], is_heard=is_heard)] += 1
            except OSError as error:
                answers[f"cut: {type(error).__name__}"] += 1

    await asyncio.gather(*(lane(number) for number in range(LANES)))


async def _exchange(bind: str, request: bytes, *, is_heard: bool) -> str:
    loop = asyncio.get_running_loop()
    with await opened(address_of(bind)) as made:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            await loop.sock_sendall(made, request)
        if not is_heard:
            return "left"
        async with asyncio.timeout(10 * WAIT_S):
            return (await loop.sock_recv(made, 4_096))[9:12].decode("ascii", "replace") or NO_BYTES


async def metrics_port(order: Order, desk: Desk, answers: "Counter[str]") -> None:
    """Hold half requests, requests whose responses are not read, and words, on the metrics port."""
    ends_at = time.monotonic() + max(order.units, order.seconds_min)
    firsts = [b"", b"GET /metr", get("/metrics") * PIPELINED, b"GET / HTTP/9.9\r\n\r\n"]

    async def hold(first: bytes) -> None:
        while time.monotonic() < ends_at:
            try:
                with await opened(address_of(order.metrics_bind)) as made:
                    await asyncio.get_running_loop().sock_sendall(made, first)
                    await asyncio.sleep(WAIT_S)
                    answers["held"] += 1
            except OSError as error:
                answers[f"cut: {type(error).__name__}"] += 1

    lanes = (hold(firsts[number % len(firsts)]) for number in range(order.connections // 5))
    await asyncio.gather(desk.note_seconds(ends_at), *lanes)


async def open_files(order: Order, desk: Desk, answers: "Counter[str]") -> None:
    """Open more connections than a worker may have open files, of which it has few meanwhile."""
    limits = {pid: resource.prlimit(pid, resource.RLIMIT_NOFILE) for pid in order.worker_pids}
    with contextlib.ExitStack() as undo:
        for pid, (soft, hard) in limits.items():
            undo.callback(resource.prlimit, pid, resource.RLIMIT_NOFILE, (soft, hard))
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (FEW_FILES, hard))
        await _unread(order, desk, answers, b"")
