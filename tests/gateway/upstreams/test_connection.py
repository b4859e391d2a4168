"""One request to an upstream that misbehaves, on a real socket: the answer, or a failure within bounds."""

import asyncio
import hashlib
import socket

import pytest

from ingest.gateway.upstream.connection import Times
from ingest.gateway.upstream.errors import CutShort, NoAnswer, TimedOut, Unreachable
from ingest.gateway.upstream.origin import Origin
from ingest.gateway.upstream.pool import KEPT_S, Pool
from ingest.gateway.upstream.retry import Budget
from tests.support.pooled import CHUNKED, OK, REQUEST, TIMES, asked, parts_of, pooled
from tests.support.raw_upstream import Answerer, answering, resetting, sending, sending_last, silent, whole


@pytest.mark.parametrize("answer", [sending_last(b""), resetting])
async def test_an_end_before_the_first_byte_is_no_answer(answer: Answerer) -> None:
    async with pooled(answer) as (upstream, pool):
        with pytest.raises(NoAnswer):
            await asked(pool)
        assert len(upstream.heads) == 1


async def test_a_body_may_end_with_its_connection() -> None:
    async with pooled(sending_last(OK + b"\r\nabc")) as (_upstream, pool):
        assert await asked(pool) == b"abc"


async def test_a_reset_does_not_end_a_body() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await sending(OK + b"\r\nabc")(reader, writer)
        await was_read.wait()
        await resetting(reader, writer)

    was_read = asyncio.Event()
    async with pooled(answer) as (_upstream, pool):
        begun = await pool.ask((REQUEST,))
        assert await begun.read() == b"abc"
        was_read.set()
        with pytest.raises(CutShort):
            await begun.read()


@pytest.mark.parametrize(
    ("phase", "data"),
    [("first byte", b""), ("head", OK), ("body", OK + b"content-length: 9\r\n\r\nabc"), ("whole", b"")],
)
async def test_each_wait_ends(phase: str, data: bytes) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await sending(data)(reader, writer)
        await silent(reader, writer)

    short = Times(
        5.0,
        0.05 if phase in {"first byte", "head"} else 60.0,
        0.05 if phase == "body" else 60.0,
        0.05 if phase == "whole" else 60.0,
    )
    async with pooled(answer, short) as (_upstream, pool):
        with pytest.raises(TimedOut):
            await asked(pool)


async def test_each_byte_begins_the_wait_anew() -> None:
    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK + b"content-length: 2\r\n\r\n")
        await may_go_on.wait()
        writer.write(b"x")

    may_go_on = asyncio.Event()
    async with pooled(answer) as (_upstream, pool):
        begun = await pool.ask((REQUEST,))
        (connection,) = pool._all  # noqa: SLF001 (instead of half a minute)
        connection.moved_s = before_s = connection.moved_s - 9  # The loop's clock counts milliseconds.
        may_go_on.set()
        assert await begun.read() == b"x"
        assert connection.moved_s > before_s
        reading = asyncio.create_task(begun.read())
        await asyncio.sleep(0)
        connection.expire(connection.moved_s + TIMES.idle_s - 1, TIMES)
        assert not reading.done()
        connection.expire(connection.moved_s + TIMES.idle_s + 1, TIMES)
        with pytest.raises(TimedOut):
            await reading


async def test_an_upstream_that_does_not_read_is_idle() -> None:
    released = asyncio.Event()

    async def answer(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await released.wait()

    async with pooled(answer, Times(5.0, 60.0, 0.1, 60.0)) as (_upstream, pool):
        with pytest.raises(TimedOut):
            await asked(pool, b"POST / HTTP/1.1\r\n\r\n", bytes(33_554_432))
        released.set()  # It may learn of the end.


async def test_a_connection_that_is_not_accepted_times_out() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        fill = [socket.socket() for _ in range(4)]  # Nobody accepts; Linux drops what does not fit.
        for each in fill:
            each.setblocking(False)
            each.connect_ex(listener.getsockname())
        pool = Pool(Origin.of(f"http://127.0.0.1:{listener.getsockname()[1]}"), Times(0.1, 9.0, 9.0, 9.0), None)
        with pytest.raises(Unreachable):
            await asked(pool)
        for each in fill:
            each.close()


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://[::1]:1", "http://nowhere.invalid:1"])
async def test_an_upstream_that_is_not_there_is_unreachable(url: str) -> None:
    with pytest.raises(Unreachable):
        await asked(Pool(Origin.of(url), TIMES, None))


async def test_a_name_is_tried_at_each_of_its_addresses() -> None:
    async with answering(sending(whole(200, b"abc"))) as upstream:  # At 127.0.0.1, while localhost may be ::1 first.
        pool = Pool(Origin.of(upstream.url.replace("127.0.0.1", "localhost")), TIMES, None)
        assert await asked(pool) == b"abc"
        pool.close()


async def test_a_large_body_goes_out_in_parts() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        digest = hashlib.sha256(await reader.readexactly(33_554_432 + 3)).hexdigest()
        await sending(whole(200, digest.encode()))(reader, writer)

    body = hashlib.shake_256(b"seed").digest(33_554_432)
    async with pooled(answer) as (_upstream, pool):
        found = await asked(pool, b"POST / HTTP/1.1\r\n\r\n", memoryview(body)[:77], b"abc", memoryview(body)[77:])
    assert found.decode() == hashlib.sha256(body[:77] + b"abc" + body[77:]).hexdigest()


async def test_an_early_answer_is_read_while_the_body_goes_out() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await sending(whole(413, b"too large"))(reader, writer)
        await answered.wait()

    answered = asyncio.Event()

    async with pooled(answer) as (upstream, pool):
        begun = await pool.ask((b"POST / HTTP/1.1\r\n\r\n", bytes(33_554_432)))
        assert begun.status == 413
        assert await begun.read() == b"too large"
        answered.set()
        await upstream.none_is_open()  # Half of a request was sent on it.


async def test_a_slow_consumer_stops_the_upstream() -> None:
    sent = 0
    stalled = asyncio.Event()

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(CHUNKED)
        for _ in range(1_024):
            writer.write(b"10000\r\n" + bytes(65_536) + b"\r\n")
            try:
                async with asyncio.timeout(0.2):
                    await writer.drain()
            except TimeoutError:
                stalled.set()
                await writer.drain()
            sent += 1
        writer.write(b"0\r\n\r\n")

    async with pooled(answer) as (_upstream, pool):
        begun = await pool.ask((REQUEST,))
        await stalled.wait()
        assert sent < 512
        assert sum([len(part) for part in await parts_of(begun)]) == 1_024 * 65_536


async def test_a_connection_is_used_again() -> None:
    async with pooled(sending(whole(200, b"abc"))) as (upstream, pool):
        for _ in range(3):
            assert await asked(pool) == b"abc"
        assert (upstream.connections, len(upstream.heads)) == (1, 3)


async def test_a_kept_connection_that_the_upstream_closed_is_not_used() -> None:
    async with pooled(sending_last(whole(200, b"abc"))) as (upstream, pool):  # Closed without a word.
        for _ in range(3):
            assert await asked(pool) == b"abc"
            await upstream.none_is_open()
        assert (upstream.connections, len(upstream.heads)) == (3, 3)


async def test_a_request_on_a_kept_connection_that_dies_is_sent_again() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        is_second = len(upstream.heads) == 2
        await reader.readexactly(2)
        await (resetting if is_second else sending(whole(200, b"abc")))(reader, writer)

    async with pooled(answer) as (upstream, pool):
        assert [await asked(pool) for _ in range(2)] == [b"abc", b"abc"]
        assert (upstream.connections, len(upstream.heads)) == (2, 3)


async def test_requests_on_kept_connections_that_all_die_are_not_all_sent_again() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        is_odd = len(upstream.heads) % 2
        await reader.readexactly(2)
        await (sending(whole(200, b"abc")) if is_odd else resetting)(reader, writer)

    async with pooled(answer) as (upstream, pool):
        pool._resends = Budget.empty()  # noqa: SLF001 (as after ten of them)
        assert await asked(pool) == b"abc"
        with pytest.raises(NoAnswer):
            await asked(pool)
        assert len(upstream.heads) == 2


async def test_a_connection_that_nobody_needs_is_closed() -> None:
    async with pooled(sending(whole(200, b"abc"))) as (upstream, pool):
        await asked(pool)
        (connection,) = pool._all  # noqa: SLF001 (instead of a minute)
        connection.moved_s -= KEPT_S + 1
        pool._expire(asyncio.get_running_loop())  # noqa: SLF001 (the same)
        await upstream.none_is_open()


async def test_bytes_on_an_idle_connection_end_it() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await sending(whole(200, b"abc"))(reader, writer)
        await may_go_on.wait()
        writer.write(whole(200, b"of nobody"))

    may_go_on = asyncio.Event()
    async with pooled(answer) as (upstream, pool):
        assert await asked(pool) == b"abc"
        may_go_on.set()
        await upstream.none_is_open()


@pytest.mark.parametrize("phase", ["connect", "send", "first byte", "body"])
async def test_a_cancelled_request_leaves_nothing(phase: str) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if phase == "body":
            await sending(OK + b"content-length: 9\r\n\r\nabc")(reader, writer)
        await (released.wait() if phase == "send" else silent(reader, writer))

    released = asyncio.Event()
    before = asyncio.all_tasks()
    async with pooled(answer) as (upstream, pool):
        parts = (REQUEST, bytes(33_554_432)) if phase == "send" else (REQUEST,)
        asking = asyncio.create_task(_read_and_close(pool, *parts))
        if phase == "connect":
            await asyncio.sleep(0)
        else:
            await upstream.has_heads(1)
            await asyncio.sleep(0.02)  # Into the wait that follows.
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        released.set()
        await upstream.none_is_open()
        assert pool.open_count == 0
    assert {each for each in asyncio.all_tasks() if each not in before and "serve" not in str(each)} == set()


async def _read_and_close(pool: Pool, *parts: bytes) -> None:
    answer = await pool.ask(parts)
    try:
        while await answer.read():
            pass
    finally:
        answer.close()
