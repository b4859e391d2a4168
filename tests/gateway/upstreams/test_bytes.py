"""What an upstream may send, and what becomes of it: answers that are whole, cut or none."""

import pytest

from ingest.gateway.upstream.errors import BadAnswer, CutShort
from ingest.gateway.upstream.http1 import FIELDS_MAX, HEAD_BYTES_MAX, INFORMATIONAL_MAX, UNUSED_BYTES_MAX
from tests.support.pooled import CHUNKED, OK, REQUEST, asked, parts_of, pooled
from tests.support.raw_upstream import sending, sending_last, whole

BAD = {
    "garbage": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
    "another protocol": b"SSH-2.0-OpenSSH_9.2\r\n",
    "another version": b"HTTP/2.0 200 OK\r\n\r\n",
    "no status": b"HTTP/1.1 OK\r\n\r\n",
    "a status of four digits": b"HTTP/1.1 2000 OK\r\n\r\n",
    "line ends of one character": b"HTTP/1.1 200 OK\ncontent-length: 0\n\n",
    "a folded field": OK + b"x: a\r\n b\r\ncontent-length: 0\r\n\r\n",
    "a space before the colon": OK + b"content-length : 0\r\n\r\n",
    "a NUL in a field": OK + b"x: a\0b\r\ncontent-length: 0\r\n\r\n",
    "two lengths": OK + b"content-length: 2\r\ncontent-length: 2\r\n\r\nok",
    "a list of lengths": OK + b"content-length: 2, 2\r\n\r\nok",
    "a negative length": OK + b"content-length: -1\r\n\r\n",
    "a length with a sign": OK + b"content-length: +2\r\n\r\nok",
    "a length of 16 digits": OK + b"content-length: 1000000000000000\r\n\r\n",
    "a length and chunks": OK + b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n",
    "another coding": OK + b"transfer-encoding: gzip, chunked\r\n\r\n",
    "chunks in HTTP/1.0": b"HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
    "another protocol than asked": b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n",
    "endless informational ones": b"HTTP/1.1 102 Processing\r\n\r\n" * (INFORMATIONAL_MAX + 1),
    "an endless head": OK + b"x: y\r\n" * HEAD_BYTES_MAX,
    "an endless field": OK + b"x: " + b"y" * (HEAD_BYTES_MAX + 1),
    "many fields": OK + b"x: y\r\n" * (FIELDS_MAX + 1) + b"\r\n",
    "a chunk without a size": CHUNKED + b"\r\nabc\r\n",
    "a chunk's size that is no number": CHUNKED + b"0x3\r\nabc\r\n",
    "a chunk's size of nine digits": CHUNKED + b"000000003\r\nabc\r\n",
    "a longer chunk than its size": CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n",
    "an endless size": CHUNKED + b"3" * 600,
    "an endless extension": CHUNKED + b"3;" + b"x" * 600,
    "endless extensions": CHUNKED + (b"1;" + b"x" * 400 + b"\r\na\r\n") * (UNUSED_BYTES_MAX // 400 + 1),
    "endless trailers": CHUNKED + b"0\r\n" + b"x: y\r\n" * UNUSED_BYTES_MAX,
    "a trailer that is none": CHUNKED + b"0\r\nx\r\n\r\n",
}
CUT = {
    "a half head": OK + b"content-le",
    "a half informational one": b"HTTP/1.1 103 Early Hints\r\n",
    "an informational one alone": b"HTTP/1.1 103 Early Hints\r\n\r\n",
    "less than the length": OK + b"content-length: 5\r\n\r\nabc",
    "a half chunk": CHUNKED + b"5\r\nabc",
    "a chunk without its end": CHUNKED + b"3\r\nabc",
    "no last chunk": CHUNKED + b"3\r\nabc\r\n",
    "a half last chunk": CHUNKED + b"3\r\nabc\r\n0\r\n",
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
    "more than the last chunk": (CHUNKED + b"3\r\nabc\r\n0\r\n\r\n0\r\n\r\n", 200, b"abc", False),
}


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
        assert b"".join(await parts_of(answer)) == body
        if is_kept:
            assert upstream.open_count == 1
        else:
            await upstream.none_is_open()
