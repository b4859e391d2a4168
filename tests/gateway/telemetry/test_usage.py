"""A meter reads what a provider counted, however its answer is split, and nothing that a model wrote misleads it."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.demo.provider import shapes
from ingest.demo.provider.shapes import Json, event
from ingest.gateway.records import Shape, Usage
from ingest.gateway.telemetry.usage import DOCUMENT_BYTES_MAX, EVENT_BYTES_MAX, Meter

COUNTED: Json = {
    "input_tokens": 377, "cache_creation_input_tokens": 10, "cache_read_input_tokens": 7,
    "cache_creation": {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 6}, "output_tokens": 1,
}  # fmt: skip
USED = Usage(377, 7, 4, 6, shapes.OUTPUT_TOKENS, 0)
TRAP = 'Write:\n\nevent: message_delta\ndata: {"usage":{"output_tokens":9}}\n\nevent: message_stop\ndata: {}\n\n'
CHAT_USAGE: Json = {
    "prompt_tokens": 100, "completion_tokens": 30, "total_tokens": 130,
    "prompt_tokens_details": {"cached_tokens": 40}, "completion_tokens_details": {"reasoning_tokens": 12},
}  # fmt: skip


def told(meter: Meter) -> tuple[object, ...]:
    return meter.usage, meter.stop_reason, meter.error, meter.is_whole


def read(shape: Shape, body: bytes, *cuts: int, streams: bool = True) -> tuple[object, ...]:
    """Feed a body, cut at some places."""
    meter = Meter.of(shape, streams)
    for start, end in pairwise([0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]):
        meter.feed(body[start:end])
    return told(meter)


def chat_chunk(delta: Json, finish: str | None = None, usage: object = None, *, counts: bool = True) -> bytes:
    choices: list[Json] = [] if usage else [{"index": 0, "delta": delta, "finish_reason": finish}]
    chunk: Json = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": choices}
    return b"data: %b\n\n" % shapes.text_of({**chunk, "usage": usage} if counts else chunk)


TEXT = event("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": TRAP}})
MESSAGES = shapes.message_events({"model": "claude-opus-4-5"}, COUNTED)
STREAM = b"".join(
    [*MESSAGES[:3], TEXT, b": a comment\n\n", event("another", {"usage": {"output_tokens": 8}}), *MESSAGES[3:]]
)
CHAT = b"".join([
    chat_chunk({"role": "assistant", "content": ""}),
    chat_chunk({"content": 'and "finish_reason":"length" with "usage":{"prompt_tokens":9}'}),
    chat_chunk({}, "stop"),
    chat_chunk({}, usage=CHAT_USAGE),
    b"data: [DONE]\n\n",
])  # fmt: skip


@pytest.mark.parametrize("asked", [{}, {"thinking": {"type": "enabled"}}, {"tools": [{"name": "get_weather"}]}])
def test_every_recorded_stream_is_counted(asked: dict[str, object]) -> None:
    events = shapes.message_events({"model": "claude-opus-4-5", **asked}, COUNTED)
    stop = "tool_use" if "tools" in asked else "end_turn"
    assert read("messages", b"".join(events)) == (USED, stop, None, True)


@given(st.lists(st.integers(0, len(STREAM)), max_size=12), st.booleans())
def test_no_split_of_a_stream_changes_what_is_read(cuts: list[int], has_carriage_returns: bool) -> None:  # noqa: FBT001 - drawn.
    body = STREAM.replace(b"\n", b"\r\n") if has_carriage_returns else STREAM
    assert read("messages", body, *cuts) == (USED, "end_turn", None, True)


def test_every_single_split_and_every_byte_alone_are_read_alike() -> None:
    for body in (STREAM, STREAM.replace(b"event: ", b"event:"), STREAM.replace(b"\n", b"\r\n")):
        assert {read("messages", body, cut) for cut in range(len(body))} == {(USED, "end_turn", None, True)}
        assert read("messages", body, *range(len(body))) == (USED, "end_turn", None, True)


@given(st.lists(st.integers(0, len(CHAT)), max_size=12))
def test_no_split_of_chunks_changes_what_is_read(cuts: list[int]) -> None:
    assert read("chat", CHAT, *cuts) == (Usage(60, 40, 0, 0, 30, 12), "end_turn", None, True)


def test_chunks_without_usage_leave_it_unknown() -> None:
    body = chat_chunk({"content": "a"}, counts=False) + chat_chunk({}, "length", counts=False) + b"data: [DONE]\n\n"
    assert read("chat", body) == (None, "max_tokens", None, True)


@pytest.mark.parametrize("events", range(len(MESSAGES)))
def test_a_stream_that_is_cut_has_what_was_seen_and_is_not_whole(events: int) -> None:
    usage, stop, error, is_whole = read("messages", b"".join(MESSAGES[:events]) + MESSAGES[events][:-1])
    last = "message_delta" if events >= len(MESSAGES) - 1 else "message_start" if events else ""
    assert usage == {"": None, "message_start": USED._replace(output_tokens=1), "message_delta": USED}[last]
    assert (stop, error, is_whole) == ("end_turn" if last == "message_delta" else None, None, False)


def test_a_later_usage_replaces_what_it_names_and_keeps_the_rest() -> None:
    later = {"input_tokens": 500, "output_tokens": 70, "cache_read_input_tokens": None}
    delta = event("message_delta", {"delta": {"stop_reason": "refusal"}, "usage": later})
    assert read("messages", MESSAGES[0] + delta) == (Usage(500, 7, 4, 6, 70, 0), "content_filter", None, False)


@pytest.mark.parametrize(("kind", "known"), [("overloaded_error", "overloaded_error"), ("Tell me a secret", "other")])
def test_an_error_in_a_stream_is_told_by_a_listed_type_alone(kind: str, known: str) -> None:
    error = event("error", {"error": {"type": kind, "message": "Something that echoes the prompt."}})
    assert read("messages", MESSAGES[0] + error)[2:] == (known, False)
    assert read("chat", b"data: %b\n\n" % shapes.text_of({"error": {"type": kind, "code": None}}))[2] == known


def test_an_event_of_megabytes_is_skipped_without_being_kept() -> None:
    large = event("content_block_delta", {"delta": {"type": "text_delta", "text": "a" * 4_000_000}})
    meter = Meter.of("messages", streams=True)
    for start in range(0, len(large), 1_000):
        meter.feed(large[start : start + 1_000])
        assert len(meter._held) <= EVENT_BYTES_MAX  # type: ignore[attr-defined]  # noqa: SLF001 - the bound itself.
    meter.feed(STREAM)
    assert told(meter) == (USED, "end_turn", None, True)


@pytest.mark.parametrize("size", [1_000, 10_000_000])
def test_an_event_that_is_too_long_to_matter_hides_none_after_it(size: int) -> None:
    large = event("message_delta", {"usage": {"output_tokens": 9}, "more": "a" * (EVENT_BYTES_MAX + 1)})
    cuts = range(0, len(large), size)
    assert read("messages", MESSAGES[0] + large + MESSAGES[-2] + MESSAGES[-1], *cuts) == (USED, "end_turn", None, True)


def test_a_long_line_of_chat_is_skipped() -> None:
    long = b"data: %b\n\n" % (b"a" * (EVENT_BYTES_MAX + 1))
    for size in (1_000, 1_000_000):
        found = read("chat", long + CHAT, *range(0, len(long), size))
        assert found == (Usage(60, 40, 0, 0, 30, 12), "end_turn", None, True)


@given(st.lists(st.integers(0, 2_000), max_size=6))
def test_no_split_of_a_document_changes_what_is_read(cuts: list[int]) -> None:
    body = shapes.message({"model": "claude-opus-4-5"}, COUNTED)
    assert read("messages", body, *cuts, streams=False) == (USED, "end_turn", None, True)


def test_a_document_that_is_cut_or_too_long_says_nothing() -> None:
    body = shapes.message({"model": "claude-opus-4-5"}, COUNTED)
    assert read("messages", body[:-1], streams=False) == (None, None, None, False)
    padded = json.dumps({"more": "a" * DOCUMENT_BYTES_MAX})[:-1].encode() + b"," + body[1:]
    assert read("messages", padded, *range(0, len(padded), 65_536), streams=False) == (None, None, None, False)


def test_a_chat_document_is_counted() -> None:
    choice = {"index": 0, "message": {"role": "assistant", "content": TRAP}, "finish_reason": "tool_calls"}
    body = shapes.text_of({"object": "chat.completion", "choices": [choice], "usage": CHAT_USAGE})
    assert read("chat", body, streams=False) == (Usage(60, 40, 0, 0, 30, 12), "tool_use", None, True)


@pytest.mark.parametrize("status", sorted(shapes.ERRORS))
def test_an_error_document_is_told_by_its_type(status: int) -> None:
    assert read("messages", shapes.error(status), streams=False) == (None, None, shapes.ERRORS[status], False)


@given(st.lists(st.binary(max_size=60) | st.sampled_from([*MESSAGES, CHAT, b"\n\n", b"\nevent: error\ndata:"])))
def test_whatever_comes_nothing_is_raised_and_no_split_matters(parts: list[bytes]) -> None:
    body = b"".join(parts)
    for shape in ("messages", "chat"):
        meter = Meter.of(shape, streams=True)
        for part in parts:
            meter.feed(part)
        assert told(meter) == read(shape, body)
        read(shape, body, streams=False)


@pytest.mark.parametrize("found", [
    b"[" * 100_000, b'{"usage":' * 50_000, b'{"type":"message","usage":{"input_tokens":1e999}}', b"\xff" * 9,
    b'{"type":"message","usage":{"input_tokens":"7","output_tokens":-3},"stop_reason":{"a":1}}', b'{"error":"text"}',
])  # fmt: skip
def test_strange_json_is_read_as_nothing(found: bytes) -> None:
    for shape in ("messages", "chat"):
        usage, *_ = read(shape, found, streams=False)
        assert usage in {None, Usage()}
        assert read(shape, b"event: message_start\ndata: " + found + b"\n\n")[0] in {None, Usage()}


def test_a_meter_shows_nothing_of_an_answer() -> None:
    meter = Meter.of("messages", streams=False)
    meter.feed(shapes.message({"model": "claude-opus-4-5"}, COUNTED))
    assert shapes.WORDS[:10] not in f"{meter!r}{meter}"
