"""What a request may ask of the provider instead of a good answer; each returns whether the connection is kept."""

import asyncio
from collections.abc import Awaitable, Callable

from ingest.demo.provider import shapes
from ingest.demo.provider.exchange import JSON_HEAD, SSE_HEAD, Exchange, head


async def _begun(exchange: Exchange, count: int) -> list[bytes]:
    """Begin a stream with some events; return the rest."""
    events = exchange.events()
    await exchange.send(head(200, SSE_HEAD + "transfer-encoding: chunked\r\n"))
    for event in events[:count]:
        await exchange.chunk(event)
    return events[count:]


async def _status(exchange: Exchange, status: int) -> bool:
    more = "retry-after: 1\r\n" if status in {429, 529} else ""
    await exchange.json(status, exchange.fault(status), more)
    return True


async def _spend_limit(exchange: Exchange, _number: int) -> bool:
    await exchange.json(429, exchange.fault(429, details={"error_code": "enforced_spend_limit_reached"}))
    return True


async def _delay(exchange: Exchange, ms: int) -> bool:
    await asyncio.sleep(ms / 1_000)
    await exchange.answer()
    return True


async def _pace(exchange: Exchange, ms: int) -> bool:
    for event in await _begun(exchange, 1):
        await asyncio.sleep(ms / 1_000)
        await exchange.chunk(event)
    await exchange.send(b"0\r\n\r\n")
    return True


async def _cut(exchange: Exchange, count: int) -> bool:
    """End the connection after some events, without the end of the body."""
    await _begun(exchange, count)
    return False


async def _half_event(exchange: Exchange, count: int) -> bool:
    rest = await _begun(exchange, count)
    await exchange.chunk(rest[0][: len(rest[0]) // 2])
    return False


async def _error_event(exchange: Exchange, count: int) -> bool:
    """Report an error in a stream that began well, then end it."""
    await _begun(exchange, count)
    await exchange.chunk(b"event: error\ndata: " + exchange.fault(529) + b"\n\n")
    await exchange.send(b"0\r\n\r\n")
    return True


async def _cut_json(exchange: Exchange, count: int) -> bool:
    """Announce more bytes than are sent."""
    await exchange.send(head(200, f"{JSON_HEAD}content-length: 1000\r\n") + b'{"type":"message","content":[]}'[:count])
    return False


async def _too_long(exchange: Exchange, count: int) -> bool:
    """Send more bytes than were announced."""
    await exchange.json(200, b"{}")
    await exchange.send(b"x" * (count or 1))
    return False


async def _stall(exchange: Exchange, count: int) -> bool:
    await _begun(exchange, count)
    await exchange.wait_gone()
    return False


async def _hang(exchange: Exchange, _number: int) -> bool:
    await exchange.wait_gone()
    return False


async def _endless(exchange: Exchange, _number: int) -> bool:
    """Send events for ever."""
    await _begun(exchange, 1)
    ping = shapes.event("ping", {}) * 1_000
    while True:
        await exchange.chunk(ping)


def _raw(data: bytes) -> Callable[[Exchange, int], Awaitable[bool]]:
    async def send(exchange: Exchange, _number: int) -> bool:
        await exchange.send(data)
        return False

    return send


async def _flood(exchange: Exchange, count: int) -> bool:
    """Send interim answers, for ever if no number is given."""
    sent = 0
    while not count or sent < count:
        await exchange.send(b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n")
        sent += 1
    await exchange.answer()
    return True


async def _long_head(exchange: Exchange, _number: int) -> bool:
    await exchange.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        await exchange.send(b"x-filler: " + b"x" * 1_000 + b"\r\n")


async def _close_after(exchange: Exchange, _number: int) -> bool:
    """Answer well, then close a connection that the client may keep."""
    await exchange.answer()
    return False


async def _reset(exchange: Exchange, _number: int) -> bool:
    exchange.reset()
    return False


# What a request may ask for, with the meaning of its number.
MISBEHAVIOURS: dict[str, Callable[[Exchange, int], Awaitable[bool]]] = {
    "status": _status,  # An error of that status.
    "spend-limit": _spend_limit,
    "delay": _delay,  # Milliseconds before the answer.
    "pace": _pace,  # Milliseconds between two events.
    "cut": _cut,  # Events before the cut.
    "half-event": _half_event,  # Whole events before the half one.
    "error-event": _error_event,  # Events before the error.
    "cut-json": _cut_json,  # Bytes.
    "too-long": _too_long,  # Bytes too many.
    "stall": _stall,  # Events before the silence.
    "hang": _hang,
    "endless": _endless,
    "flood": _flood,  # Interim answers; 0: without end.
    "long-head": _long_head,
    "close-after": _close_after,
    "reset": _reset,
    "garbage": _raw(b"\x00\x16\x03\x01 this is not HTTP\r\n\r\n" * 100),
    "redirect": _raw(b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/elsewhere\r\ncontent-length: 0\r\n\r\n"),
    "http10": _raw(b"HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n{}"),
    "two-lengths": _raw(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}"),
    "bad-chunk": _raw(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n"),
}
