"""Attacks by hostile senders with slow heads, slow bodies and bad tokens."""

import asyncio
import base64
import itertools
import time
from collections import Counter
from collections.abc import Iterator

from tests.soak.child import Desk
from tests.soak.order import Order
from tests.soak.posting import Request
from tests.support.connection import address_of, opened, post

DRIP_S = 1.0
PIPELINED = 50
NO_BYTES = "closed without an answer"


async def slow_headers(order: Order, desk: Desk, answers: "Counter[str]") -> None:
    await _slowly(order, desk, answers, b"POST /v1/events HTTP/1.1\r\nHost: soak\r\nX-Slow: ")


async def slow_bodies(order: Order, desk: Desk, answers: "Counter[str]") -> None:
    head = (
        f"POST /v1/events HTTP/1.1\r\nHost: soak\r\nAuthorization: Bearer {order.token}\r\n"
        "Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n"
    )
    await _slowly(order, desk, answers, head.encode("ascii"))


async def _slowly(order: Order, desk: Desk, answers: "Counter[str]", head: bytes) -> None:
    """Hold many connections open, with a byte per second on each; replace those that are closed."""
    ends_at = time.monotonic() + order.units

    async def hold() -> None:
        while time.monotonic() < ends_at:
            try:
                answers[await _drip(order.bind, head, ends_at)] += 1
            except OSError as error:
                answers[f"cut: {type(error).__name__}"] += 1
                await asyncio.sleep(DRIP_S)

    await asyncio.gather(desk.note_seconds(ends_at), *(hold() for _ in range(order.connections)))


async def _drip(bind: str, head: bytes, ends_at: float) -> str:
    """Hold one connection, and return the status that ended it."""
    loop = asyncio.get_running_loop()
    connection = await opened(address_of(bind))
    receiving = asyncio.ensure_future(loop.sock_recv(connection, 4_096))
    try:
        await loop.sock_sendall(connection, head)
        while time.monotonic() < ends_at:
            if (await asyncio.wait({receiving}, timeout=DRIP_S))[0]:
                return receiving.result()[9:12].decode("ascii") or NO_BYTES
            await loop.sock_sendall(connection, b"x")
    finally:
        receiving.cancel()
        connection.close()
    return "held to the end"


def guesses(order: Order) -> Iterator[Request]:
    """Yield guesses of tokens, never the same twice; every second guess has a known id."""
    known_id = order.token.split("_")[1]
    numbers = itertools.count()

    def guess(number: int) -> bytes:
        secret = base64.urlsafe_b64encode(number.to_bytes(32, "big")).rstrip(b"=").decode("ascii")
        return post(f"nct_{known_id if number % 2 else f'{number:012x}'}_{secret}", b"")

    while True:
        yield Request(b"".join(map(guess, itertools.islice(numbers, PIPELINED))), PIPELINED, PIPELINED)
