"""Attacks by hostile senders with heads, tokens and bodies."""

import asyncio
import base64
import itertools
import time
from collections import Counter

from tests.soak import flow, payloads
from tests.soak.child import Desk
from tests.soak.connection import Connection, NoAnswer, address_of, opened
from tests.soak.order import Order
from tests.soak.posting import Flood, post

CONNECTIONS = 4  # Of an attack that is not about connections: each has one request under way.
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

    async def count() -> None:
        while time.monotonic() < ends_at:
            await asyncio.sleep(DRIP_S)
            desk.note(1)

    await asyncio.gather(count(), *(hold() for _ in range(order.connections)))


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


async def deep(order: Order, desk: Desk, answers: "Counter[str]") -> None:
    await post(order, desk, answers, Flood(payloads.deep(), order.token, CONNECTIONS))


async def bombs(order: Order, desk: Desk, answers: "Counter[str]") -> None:
    await post(order, desk, answers, Flood(payloads.bombs(), order.token, CONNECTIONS))


async def large_batches(order: Order, desk: Desk, answers: "Counter[str]") -> None:
    await post(order, desk, answers, Flood(payloads.large_batches(), order.token, CONNECTIONS))


async def unknown_refused(order: Order, desk: Desk, answers: "Counter[str]") -> None:
    await post(order, desk, answers, Flood(payloads.unknown_models(), order.token, CONNECTIONS))


async def unknown_coarsened(order: Order, desk: Desk, answers: "Counter[str]") -> None:
    await post(order, desk, answers, Flood(payloads.unknown_models(), order.coarsening_token, CONNECTIONS))


async def padded_tags(order: Order, desk: Desk, answers: "Counter[str]") -> None:
    await post(order, desk, answers, Flood(payloads.padded_tags(), order.token, CONNECTIONS))


async def tiny_chunks(order: Order, desk: Desk, answers: "Counter[str]") -> None:
    await post(order, desk, answers, Flood(payloads.tiny_chunks(), order.token, CONNECTIONS))


async def bad_tokens(order: Order, desk: Desk, answers: "Counter[str]") -> None:
    """Guess tokens, never the same twice; every second guess has a known id."""
    ends_at = time.monotonic() + order.seconds_min
    known_id = order.token.split("_")[1]
    numbers = itertools.count()

    def guess() -> bytes:
        number = next(numbers)
        secret = base64.urlsafe_b64encode(number.to_bytes(32, "big")).rstrip(b"=").decode("ascii")
        token = f"nct_{known_id if number % 2 else f'{number:012x}'}_{secret}"
        head = f"POST /v1/events HTTP/1.1\r\nHost: soak\r\nAuthorization: Bearer {token}\r\nContent-Length: 0\r\n\r\n"
        return head.encode("ascii")

    async def lane() -> None:
        connection = Connection(order.bind, "")
        while desk.done < order.units or time.monotonic() < ends_at:
            desk.note(PIPELINED)
            try:
                guesses = b"".join(guess() for _ in range(PIPELINED))
                answers.update(map(flow.face, await connection.exchange(guesses, PIPELINED)))
            except NoAnswer as lost:
                answers[f"no answer: {lost}"] += 1
        connection.close()

    await asyncio.gather(*(lane() for _ in range(CONNECTIONS)))
