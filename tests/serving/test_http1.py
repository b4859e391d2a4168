"""The HTTP/1.1 parser compared with h11, which Hypercorn brings and which accepts more."""

import random

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.errors import IngestError
from ingest.serving import http1
from ingest.serving.errors import BadRequest

_LINES = [
    b"Host: x", b"Host: [::1]:80", b"Content-Length: 5", b"Content-Length: 05", b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: Chunked", b"transfer-encoding:chunked ", b"X-Note:", b"X-Note: \t a b \t", b"X: \xc3\xa9",
    b"Connection: close", b"Connection: keep-alive, Upgrade", b"Upgrade: h2c", b"Expect: 100-continue",
    b" folded", b"X : y", b"Host:", b"X: \x01", b"X: a\rb", b"X: a\nb", b"no colon", b"Content-Length: 5, 5",
]  # fmt: skip
_FIRST = [
    b"POST /v1/events HTTP/1.1", b"GET / HTTP/1.0", b"GET http://a.b/c?d=e HTTP/1.1", b"OPTIONS * HTTP/1.1",
    b"CONNECT a:1 HTTP/1.1", b"get /%41 HTTP/1.1", b"GET /a b HTTP/1.1", b"GET / HTTP/2.0", b"GET /\xff HTTP/1.1", b"",
]  # fmt: skip
_HEADS = st.builds(
    lambda first, lines, end: b"\r\n".join([first, *lines]) + end,
    st.sampled_from(_FIRST),
    st.lists(st.sampled_from(_LINES), max_size=5),
    st.sampled_from([b"\r\n\r\n", b"\r\n\r\n", b"\n\n", b"\r\n\n"]),
)


@given(_HEADS)
def test_what_is_taken_another_reader_takes_alike(head: bytes) -> None:
    try:
        taken = http1.take_head(bytearray(head))
    except IngestError:
        return
    if taken is None:
        return
    other = h11.Connection(h11.SERVER)
    other.receive_data(head)
    request = other.next_event()
    assert isinstance(request, h11.Request)
    assert taken.method.encode() == request.method
    fields = dict(request.headers)
    assert [(name, value.lower()) for name, value in taken.fields] == [(n, v.lower()) for n, v in request.headers]
    assert (taken.length is None) == (b"transfer-encoding" in fields)
    if taken.length is not None:
        assert taken.length == int(fields.get(b"content-length", b"0"))


@given(st.binary(max_size=300))
def test_no_bytes_end_in_anything_but_a_head_or_a_refusal(data: bytes) -> None:
    buffer = bytearray(data)
    try:
        if http1.take_head(buffer) is None:
            assert buffer == data
    except IngestError:
        pass


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=20), st.integers())
def test_chunks_come_out_as_they_went_in_however_they_are_cut(parts: list[bytes], seed: int) -> None:
    chance = random.Random(seed)
    sent = b"".join(b"%x%b\r\n%b\r\n" % (len(part), chance.choice([b"", b";a", b' ; a="b"']), part) for part in parts)
    sent += b"0\r\n" + chance.choice([b"", b"X-Note: a\r\n"]) + b"\r\n"
    chunks, buffer, got, at = http1.Chunks(), bytearray(), b"", 0
    while at < len(sent):
        step = chance.randint(1, 30)
        buffer += sent[at : at + step]
        at += step
        got += chunks.take(buffer)
    assert (got, chunks.is_over, bytes(buffer)) == (b"".join(parts), True, b"")


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_chunks_of_any_bytes_end_in_bytes_or_a_refusal(first: bytes, second: bytes) -> None:
    chunks, buffer = http1.Chunks(), bytearray()
    try:
        for part in (first, second):
            buffer += part
            chunks.take(buffer)
    except BadRequest:
        pass


@pytest.mark.parametrize("head", [b"GET / HTTP/1.1\r\nHost: x", b"", b"\r\n", b"G", b"GET / HTTP/1.1\r"])
def test_the_rest_of_a_head_is_waited_for(head: bytes) -> None:
    assert http1.take_head(bytearray(head)) is None


@pytest.mark.parametrize("start", [b"\x16\x03\x01", b"GET / HTTP/1.1\n", b"GET /\0", b"a\x7f", b"\n", b"a\rb"])
def test_what_cannot_become_a_head_is_refused_at_once(start: bytes) -> None:
    with pytest.raises(BadRequest):
        http1.take_head(bytearray(start))


def test_many_small_chunks_are_taken_a_bounded_number_at_a_time() -> None:
    body = bytes(range(32, 127)) * 40
    buffer = bytearray(b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\nGET")
    chunks, taken = http1.Chunks(), []
    while not chunks.is_over:
        taken.append(chunks.take(buffer))
    assert b"".join(taken) == body
    assert max(map(len, taken)) == http1.CHUNKS_MAX
    assert bytes(buffer) == b"GET"
