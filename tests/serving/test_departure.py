"""After the body `receive` waits until the sender leaves, and loses nothing that it pipelines meanwhile."""

import asyncio
from contextlib import suppress

import pytest
from starlette.types import Message

from ingest.serving import http1
from ingest.serving.exchange import PIPELINED_BYTES_MAX, Exchange
from ingest.serving.wire import Wire
from tests.serving.pairs import Pair, pair

WAIT_S = 5.0


async def _exchange(connected: Pair, request: bytes) -> tuple[Exchange, bytearray]:
    """Return the exchange of a request whose head has arrived, and the buffer of its connection."""
    connected.client.write(request)
    wire, buffer = Wire(connected.reader, connected.writer), bytearray()
    while (head := http1.take_head(buffer)) is None:
        buffer += await wire.receive()
    return Exchange(wire, head, buffer, list), buffer


def _body(length: int) -> bytes:
    return b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % length + b"x" * length


async def _received(exchange: Exchange) -> Message:
    message = await exchange.receive()
    while message.get("more_body"):
        message = await exchange.receive()
    return message


@pytest.mark.parametrize("length", [0, 5, 100_000])
async def test_a_departure_after_the_body_is_received(length: int) -> None:
    async with pair() as connected:
        exchange, _ = await _exchange(connected, _body(length))
        assert (await _received(exchange))["type"] == "http.request"
        waiting = asyncio.create_task(exchange.receive())
        await asyncio.sleep(0)
        assert not waiting.done()
        connected.client.close()
        async with asyncio.timeout(WAIT_S):
            assert (await waiting)["type"] == "http.disconnect"
        assert (await exchange.receive())["type"] == "http.disconnect"
        assert exchange.is_last


async def test_what_is_pipelined_meanwhile_is_kept_up_to_a_bound() -> None:
    async with pair() as connected:
        exchange, buffer = await _exchange(connected, _body(3))
        await _received(exchange)
        waiting = asyncio.create_task(exchange.receive())
        connected.client.write(b"n" * 1_000)
        async with asyncio.timeout(WAIT_S):
            while len(buffer) < 1_000:  # noqa: ASYNC110 (filled by the other task)
                await asyncio.sleep(0.001)
        assert buffer == b"n" * 1_000
        connected.client.write(b"n" * 10 * PIPELINED_BYTES_MAX)
        async with asyncio.timeout(WAIT_S):
            while len(buffer) < PIPELINED_BYTES_MAX:  # noqa: ASYNC110 (filled by the other task)
                await asyncio.sleep(0.001)
        for _ in range(10):
            await asyncio.sleep(0)
        assert len(buffer) <= 2 * PIPELINED_BYTES_MAX
        assert not waiting.done()
        waiting.cancel()
        with suppress(asyncio.CancelledError):
            await waiting


async def test_a_wait_that_is_cancelled_leaves_the_next_request_to_be_read() -> None:
    async with pair() as connected:
        exchange, _ = await _exchange(connected, _body(3))
        await _received(exchange)
        waiting = asyncio.create_task(exchange.receive())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.sleep(0)
        connected.client.write(b"GET / HTTP/1.1\r\n")
        async with asyncio.timeout(WAIT_S):
            assert await connected.reader.read(100) == b"GET / HTTP/1.1\r\n"


@pytest.mark.parametrize(("status", "phrase"), [(200, b"OK"), (529, b"")])
async def test_an_answer_in_pieces_may_announce_its_length(status: int, phrase: bytes) -> None:
    async with pair() as connected:
        exchange, _ = await _exchange(connected, _body(0))
        await exchange.send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"4")]})
        await exchange.send({"type": "http.response.body", "body": b"ab", "more_body": True})
        states = [exchange.is_streaming]
        await exchange.send({"type": "http.response.body", "body": b"cd", "more_body": False})
        assert [*states, exchange.is_streaming] == [True, False]
        expected = b"HTTP/1.1 %d %b\r\ncontent-length: 4\r\n\r\nabcd" % (status, phrase)
        async with asyncio.timeout(WAIT_S):
            assert await connected.answers.readexactly(len(expected)) == expected
