"""One request to an upstream that misbehaves, on a real socket: the answer, or a failure within bounds."""

import asyncio
import hashlib
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ingest.gateway.upstream import tls
from ingest.gateway.upstream.connection import Times
from ingest.gateway.upstream.errors import (
    BadAnswer,
    CertificateRefused,
    CutShort,
    NoAnswer,
    TimedOut,
    Unreachable,
)
from ingest.gateway.upstream.http1 import FIELDS_MAX, HEAD_BYTES_MAX, INFORMATIONAL_MAX, UNUSED_BYTES_MAX
from ingest.gateway.upstream.origin import Origin
from ingest.gateway.upstream.pool import Pool
from tests.support.certificates import Authority
from tests.support.raw_upstream import Answerer, RawUpstream, answering, resetting, sending, sending_last, silent, whole

TIMES = Times(5.0, 30.0, 30.0, 60.0)
REQUEST = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}"
_OK = b"HTTP/1.1 200 OK\r\n"
_CHUNKED = _OK + b"transfer-encoding: chunked\r\n\r\n"

BAD = {
    "garbage": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
    "another protocol": b"SSH-2.0-OpenSSH_9.2\r\n",
    "another version": b"HTTP/2.0 200 OK\r\n\r\n",
    "no status": b"HTTP/1.1 OK\r\n\r\n",
    "a status of four digits": b"HTTP/1.1 2000 OK\r\n\r\n",
    "line ends of one character": b"HTTP/1.1 200 OK\ncontent-length: 0\n\n",
    "a folded field": _OK + b"x: a\r\n b\r\ncontent-length: 0\r\n\r\n",
    "a space before the colon": _OK + b"content-length : 0\r\n\r\n",
    "a NUL in a field": _OK + b"x: a\0b\r\ncontent-length: 0\r\n\r\n",
    "two lengths": _OK + b"content-length: 2\r\ncontent-length: 2\r\n\r\nok",
    "a list of lengths": _OK + b"content-length: 2, 2\r\n\r\nok",
    "a negative length": _OK + b"content-length: -1\r\n\r\n",
    "a length with a sign": _OK + b"content-length: +2\r\n\r\nok",
    "a length of 16 digits": _OK + b"content-length: 1000000000000000\r\n\r\n",
    "a length and chunks": _OK + b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n",
    "another coding": _OK + b"transfer-encoding: gzip, chunked\r\n\r\n",
    "chunks in HTTP/1.0": b"HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
    "another protocol than asked": b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n",
    "endless informational ones": b"HTTP/1.1 102 Processing\r\n\r\n" * (INFORMATIONAL_MAX + 1),
    "an endless head": _OK + b"x: y\r\n" * HEAD_BYTES_MAX,
    "an endless field": _OK + b"x: " + b"y" * (HEAD_BYTES_MAX + 1),
    "many fields": _OK + b"x: y\r\n" * (FIELDS_MAX + 1) + b"\r\n",
    "a chunk without a size": _CHUNKED + b"\r\nabc\r\n",
    "a chunk's size that is no number": _CHUNKED + b"0x3\r\nabc\r\n",
    "a chunk's size of nine digits": _CHUNKED + b"000000003\r\nabc\r\n",
    "a longer chunk than its size": _CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n",
    "an endless size": _CHUNKED + b"3" * 600,
    "an endless extension": _CHUNKED + b"3;" + b"x" * 600,
    "endless extensions": _CHUNKED + (b"1;" + b"x" * 400 + b"\r\na\r\n") * (UNUSED_BYTES_MAX // 400 + 1),
    "endless trailers": _CHUNKED + b"0\r\n" + b"x: y\r\n" * UNUSED_BYTES_MAX,
    "a trailer that is none": _CHUNKED + b"0\r\nx\r\n\r\n",
}
CUT = {
    "a half head": _OK + b"content-le",
    "a half informational one": b"HTTP/1.1 103 Early Hints\r\n",
    "an informational one alone": b"HTTP/1.1 103 Early Hints\r\n\r\n",
    "less than the length": _OK + b"content-length: 5\r\n\r\nabc",
    "a half chunk": _CHUNKED + b"5\r\nabc",
    "a chunk without its end": _CHUNKED + b"3\r\nabc",
    "no last chunk": _CHUNKED + b"3\r\nabc\r\n",
    "a half last chunk": _CHUNKED + b"3\r\nabc\r\n0\r\n",
}
GOOD = {
    "a length": (whole(200, b"abc"), 200, b"abc", True),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\ncontent-length: 3\r\n\r\nabc", 200, b"abc", False),
    "HTTP/1.0, kept": (b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 3\r\n\r\nabc", 200, b"abc", True),
    "no reason": (b"HTTP/1.1 200\r\ncontent-length: 3\r\n\r\nabc", 200, b"abc", True),
    "a close that was announced": (whole(200, b"abc", b"connection: x, Close"), 200, b"abc", False),
    "a redirect": (whole(302, b"", b"location: https://example.com/"), 302, b"", True),
    "no content": (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", True),
    "not modified, with a length": (b"HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n", 304, b"", True),
    "more than the length": (whole(200, b"abc") + b"d", 200, b"abc", False),
    "two answers": (whole(200, b"abc") * 2, 200, b"abc", False),
    "more than the last chunk": (_CHUNKED + b"3\r\nabc\r\n0\r\n\r\n0\r\n\r\n", 200, b"abc", False),
}


@asynccontextmanager
async def pooled(answer: Answerer, times: Times = TIMES) -> AsyncIterator[tuple[RawUpstream, Pool]]:
    """Yield an upstream and the pool of its connections; none is left open."""
    async with answering(answer) as upstream:
        pool = Pool(Origin.of(upstream.url), times, None)
        try:
            yield upstream, pool
        finally:
            pool.close()
            await upstream.none_is_open()
            assert pool.open_count == 0


async def asked(pool: Pool, *parts: bytes | memoryview) -> bytes:
    answer = await pool.ask(parts or (REQUEST,))
    found = b""
    while part := await answer.read():
        found += part
    return found


@pytest.mark.parametrize("name", BAD)
async def test_what_is_not_http_is_refused(name: str) -> None:
    async with pooled(sending(BAD[name])) as (upstream, pool):
        with pytest.raises(BadAnswer):
            await asked(pool)
        await upstream.none_is_open()  # Cut by us: the upstream would have kept it.


@pytest.mark.parametrize("name", CUT)
async def test_what_ends_early_is_not_presented_as_whole(name: str) -> None:
    async with pooled(sending_last(CUT[name])) as (_upstream, pool):
        with pytest.raises(CutShort):
            await asked(pool)


@pytest.mark.parametrize("name", GOOD)
async def test_a_good_answer_is_read_whole(name: str) -> None:
    data, status, body, is_kept = GOOD[name]
    async with pooled(sending(data)) as (upstream, pool):
        answer = await pool.ask((REQUEST,))
        assert answer.status == status
        assert b"".join([part async for part in _parts(answer.read)]) == body
        if is_kept:
            assert upstream.open_count == 1
        else:
            await upstream.none_is_open()


async def _parts(read: object) -> AsyncIterator[bytes]:
    while part := await read():  # type: ignore[operator]  # The method of an answer.
        yield part


@pytest.mark.parametrize("answer", [sending_last(b""), resetting])
async def test_an_end_before_the_first_byte_is_no_answer(answer: Answerer) -> None:
    async with pooled(answer) as (upstream, pool):
        with pytest.raises(NoAnswer):
            await asked(pool)
        assert len(upstream.heads) == 1


async def test_a_body_may_end_with_its_connection() -> None:
    async with pooled(sending_last(_OK + b"\r\nabc")) as (_upstream, pool):
        assert await asked(pool) == b"abc"


async def test_a_reset_does_not_end_a_body() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await sending(_OK + b"\r\nabc")(reader, writer)
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
    [("first byte", b""), ("head", _OK), ("body", _OK + b"content-length: 9\r\n\r\nabc"), ("whole", b"")],
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


async def test_slow_bytes_are_not_idle() -> None:
    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(_OK + b"content-length: 5\r\n\r\n")
        for _ in range(5):
            await asyncio.sleep(0.25)
            writer.write(b"x")

    async with pooled(answer, Times(5.0, 60.0, 1.0, 60.0)) as (_upstream, pool):
        assert await asked(pool) == b"x" * 5


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
        writer.write(_CHUNKED)
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
        assert sum([len(part) async for part in _parts(begun.read)]) == 1_024 * 65_536


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
            await sending(_OK + b"content-length: 9\r\n\r\nabc")(reader, writer)
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


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def serving(authority: Authority, name: str) -> ssl.SSLContext:
    pair = authority.issue(name, name)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*pair.files)
    return context


async def over_tls(server: ssl.SSLContext | None, root: Path, answer: Answerer) -> bytes:
    async with answering(answer, server) as upstream:
        origin = Origin.of(upstream.url.replace("http://", "https://"))
        pool = Pool(origin, TIMES._replace(connect_s=1.0), tls.context(str(root)))
        try:
            return await asked(pool)
        finally:
            pool.close()
            await upstream.none_is_open()


async def test_tls_is_spoken(authority: Authority) -> None:
    server = serving(authority, "127.0.0.1")
    assert await over_tls(server, authority.root, sending(whole(200, b"abc"))) == b"abc"


@pytest.mark.parametrize("case", ["another name", "another authority"])
async def test_a_certificate_that_does_not_match_is_refused(case: str, authority: Authority, tmp_path: Path) -> None:
    own = serving(authority, "127.0.0.1" if case == "another authority" else "example.com")
    root = Authority(tmp_path).root if case == "another authority" else authority.root
    with pytest.raises(CertificateRefused):
        await over_tls(own, root, silent)


async def test_an_upstream_without_tls_is_unreachable(authority: Authority) -> None:
    with pytest.raises(Unreachable):
        await over_tls(None, authority.root, sending(whole(200, b"")))


async def test_a_body_may_end_with_the_close_of_tls(authority: Authority) -> None:
    server = serving(authority, "127.0.0.1")
    assert await over_tls(server, authority.root, sending_last(_OK + b"\r\nabc")) == b"abc"


async def test_the_close_of_tcp_does_not_end_a_body_in_tls(authority: Authority) -> None:
    """Anybody on the way can close TCP."""

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(_OK + b"\r\nabc")
        await was_read.wait()
        writer.transport.abort()

    was_read = asyncio.Event()
    async with answering(answer, serving(authority, "127.0.0.1")) as upstream:
        origin = Origin.of(upstream.url.replace("http://", "https://"))
        begun = await Pool(origin, TIMES, tls.context(str(authority.root))).ask((REQUEST,))
        assert await begun.read() == b"abc"
        was_read.set()
        with pytest.raises(CutShort):
            await begun.read()
