"""Any split of an answer's bytes reads the same, and any mutation ends within bounds."""

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.gateway.upstream import http1
from ingest.gateway.upstream.answer import HELD_BYTES_MAX, Answer
from ingest.gateway.upstream.errors import Abandoned, BadAnswer, CutShort, NoAnswer, UpstreamFailure
from ingest.gateway.upstream.pool import begun

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Two:  a  \r\nx-two: b\r\n"
_FIELDS = [(b"content-type", b"text/event-stream"), (b"x-two", b"a"), (b"x-two", b"b")]
_CHUNKED = _HEAD + b"Transfer-Encoding: Chunked\r\n\r\n"
_CHUNKS = b'6\r\nhello \r\n5;a="b c";d\r\nthere\r\n1\r\n!\r\n0\r\nx-trailer: t\r\n\r\n'
WHOLE = {
    "chunks": (_CHUNKED + _CHUNKS, b"hello there!"),
    "length": (_HEAD + b"content-length: 12\r\n\r\nhello there!", b"hello there!"),
    "no body": (_HEAD + b"content-length: 0\r\n\r\n", b""),
    "after two informational ones": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + _CHUNKED + _CHUNKS,
        b"hello there!",
    ),
}
# The same examples each time, for as long as they take.
_settings = settings(deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
_splits = st.lists(st.integers(1, 40), max_size=60)


class Line:
    """Stands for the connection: remembers what the answer asked of it."""

    def __init__(self) -> None:
        self.is_aborted = False
        self.paused = 0
        self.is_kept: bool | None = None

    def pause(self) -> None:
        self.paused += 1

    def resume(self) -> None:
        self.paused = 0

    def finish(self, *, may_be_kept: bool) -> None:
        self.is_kept = may_be_kept

    def abort(self) -> None:
        self.is_aborted = True


def fed(data: bytes, sizes: list[int]) -> tuple[Answer, Line]:
    """Return an answer that got these bytes in pieces of these sizes, and the rest at once, and then the close."""
    line = Line()
    answer = Answer(line)
    at = 0
    for size in [*sizes, len(data)]:
        if line.is_aborted or line.is_kept is not None or at >= len(data):
            break
        answer.feed(data[at : at + size])
        at += size
    answer.end(is_clean=True)
    return answer, line


def read(answer: Answer) -> tuple[bytes, type[UpstreamFailure] | None]:
    """Return what can be read, and how it ends."""

    async def all_of_it() -> tuple[bytes, type[UpstreamFailure] | None]:
        found = b""
        try:
            await answer.begin()
            while part := await answer.read():
                found += part
        except UpstreamFailure as failure:
            return found, type(failure)
        return found, None

    return asyncio.run(all_of_it())


@pytest.mark.parametrize("name", WHOLE)
@_settings
@given(sizes=_splits)
def test_any_split_reads_the_same(name: str, sizes: list[int]) -> None:
    data, body = WHOLE[name]
    answer, line = fed(data, sizes)
    assert read(answer) == (body, None)
    assert answer.status == 200
    assert answer.fields[:3] == _FIELDS
    assert line.is_kept
    assert answer.is_read


@pytest.mark.parametrize("name", WHOLE)
def test_any_beginning_is_cut_short(name: str) -> None:
    data, _body = WHOLE[name]
    for size in range(len(data)):
        answer, line = fed(data[:size], [])
        assert read(answer)[1] is (CutShort if size else NoAnswer), size
        assert line.is_aborted


@pytest.mark.parametrize("name", WHOLE)
@_settings
@given(at=st.integers(0, 10_000), replacement=st.binary(max_size=12), gap=st.integers(0, 12), sizes=_splits)
def test_a_mutation_ends_in_an_answer_or_a_failure(
    name: str, at: int, replacement: bytes, gap: int, sizes: list[int]
) -> None:
    data, _body = WHOLE[name]
    at %= len(data)
    answer, line = fed(data[:at] + replacement + data[at + gap :], sizes)
    found, failure = read(answer)
    assert failure in {None, BadAnswer, CutShort, NoAnswer}
    assert len(found) <= len(data) + len(replacement)
    assert (failure is None) == (line.is_kept is not None)


@_settings
@given(data=st.binary(max_size=300), sizes=_splits)
def test_garbage_is_a_failure(data: bytes, sizes: list[int]) -> None:
    answer, _line = fed(data, sizes)
    assert read(answer)[1] in {BadAnswer, CutShort, NoAnswer}


@_settings
@given(sizes=_splits)
def test_a_refusal_does_not_depend_on_the_split(sizes: list[int]) -> None:
    answer, line = fed(_HEAD + b"content-length: 3\n\r\n\r\nabc", sizes)
    assert read(answer) == (b"", BadAnswer)
    assert line.is_aborted


def test_a_slow_consumer_pauses_the_upstream() -> None:
    line = Line()
    answer = Answer(line)
    answer.feed(_HEAD + b"content-length: 999999\r\n\r\n")
    answer.feed(b"x" * HELD_BYTES_MAX)
    assert line.paused == 0
    answer.feed(b"x")
    assert line.paused == 1
    answer.end(is_clean=True)
    assert read(answer) == (b"x" * (HELD_BYTES_MAX + 1), CutShort)


def test_what_was_closed_is_no_whole_answer() -> None:
    answer, _line = fed(WHOLE["length"][0], [])
    answer.close()
    assert read(answer) == (b"", Abandoned)


def test_what_is_given_back_is_read_first() -> None:
    answer, _line = fed(WHOLE["length"][0], [])
    answer.give_back(b"> ")
    assert not answer.is_read
    assert read(answer) == (b"> hello there!", None)


def test_done_is_told_once() -> None:
    answer, _line = fed(WHOLE["length"][0], [])
    told: list[bool] = []
    answer.when_done = lambda: told.append(True)
    read(answer)
    answer.close()
    assert told == [True]


def test_a_head_has_bounds() -> None:
    field = b"x: y\r\n"
    assert http1.parsed(b"HTTP/1.1 200 OK\r\n" + field * http1.FIELDS_MAX + b"\r\n", 0)
    for data in (
        b"HTTP/1.1 200 OK\r\n" + field * (http1.FIELDS_MAX + 1) + b"\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * http1.HEAD_BYTES_MAX,
    ):
        with pytest.raises(BadAnswer):
            http1.parsed(data, 0)


async def test_a_client_that_leaves_just_when_the_head_comes_ends_the_connection() -> None:
    line = Line()
    answer = Answer(line)
    waiting = asyncio.create_task(begun(answer))
    await asyncio.sleep(0)
    answer.feed(_CHUNKED)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert line.is_aborted
