"""The facts of real shapes of requests, what is forwarded unread, and what is refused."""

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from ingest.gateway.reading import errors, facts
from ingest.gateway.reading.errors import Malformed
from ingest.gateway.reading.facts import Facts
from ingest.gateway.records import Shape

CORPUS = Path(__file__).with_name("corpus")
EXPECTED: dict[str, dict[str, object]] = {
    "messages-plain": {"model": "claude-opus-4-5-20251101", "output_max": 1_024, "turns": 1},
    "messages-stream-system-list": {
        "model": "claude-sonnet-4-5", "streams": True, "output_max": 64_000, "caches": True, "caches_1h": True,
    },
    "messages-tool-loop": {"has_tools": True, "is_tool_loop": True, "turns": 3},
    "messages-tool-loop-ended": {"has_tools": True, "turns": 5},
    "messages-server-tool-paused": {"has_tools": True, "is_tool_loop": True},
    "messages-thinking-signed": {"has_signed_thinking": True, "asks_thinking": True},
    "messages-thinking-redacted": {"has_signed_thinking": True},
    "messages-thinking-adaptive": {"asks_thinking": True},
    "messages-thinking-disabled": {},
    "messages-image-and-document": {},
    "messages-mcp-and-containers": {"turns": 3},
    "messages-prefilled": {"turns": 2},
    "messages-search-result": {},
    "chat-developer-and-parts": {"model": "gpt-5-mini", "streams": True, "output_max": 200},
    "chat-tool-loop": {"model": "gpt-4o", "has_tools": True, "is_tool_loop": True},
    "chat-thinking-blocks": {"has_signed_thinking": True},
    "chat-function-legacy": {"has_tools": True, "is_tool_loop": True},
    "chat-audio-and-file": {"model": "gpt-4o-audio-preview"},
}  # fmt: skip
FLAGS = ("streams", "has_tools", "is_tool_loop", "has_signed_thinking", "asks_thinking", "caches", "caches_1h")
SAMPLES = {
    "messages-plain": b"Why is the sky blue?",
    "messages-stream-system-list": (b"<reminder>Be short.</reminder>\nRename the function."),
    "messages-tool-loop": b"Find me a car.",
    "messages-tool-loop-ended": b"Thanks. And a bicycle?",
    "chat-developer-and-parts": b"What is on this picture?",
}


def of(name: str) -> tuple[bytes, Facts]:
    body = (CORPUS / f"{name}.json").read_bytes()
    shape: Shape = "chat" if name.startswith("chat") else "messages"
    return body, facts.read(body, shape)


def messages(*turns: dict[str, object], **members: object) -> bytes:
    return json.dumps(
        {"model": "claude-opus-4-5", "max_tokens": 64, "messages": turns, **members}, ensure_ascii=False
    ).encode()


def user(content: object) -> dict[str, object]:
    return {"role": "user", "content": content}


def test_every_file_of_the_corpus_is_expected() -> None:
    assert {path.stem for path in CORPUS.iterdir()} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_real_shapes_are_read(name: str) -> None:
    body, found = of(name)
    told = found._asdict()
    assert found.is_readable
    assert body[slice(*found.model_span)] == json.dumps(found.model).encode()
    assert found.model == json.loads(body)["model"]
    assert {flag: told[flag] for flag in FLAGS} == dict.fromkeys(FLAGS, False) | {
        flag: EXPECTED[name].get(flag, False) for flag in FLAGS
    }
    assert EXPECTED[name].items() <= told.items()


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_is_the_users_last_text(name: str) -> None:
    assert of(name)[1].sample.expose() == SAMPLES[name]


def test_a_sample_is_bounded_and_prefers_what_was_written_last() -> None:
    body = messages(
        user([{"type": "text", "text": "a" * 9_000}, {"type": "text", "text": "é" * 600}]), system="s" * 9_000
    )
    sample = facts.read(body, "messages").sample.expose().decode()
    assert len(sample.encode()) <= 4_096
    assert sample.endswith("a\n" + "é" * 600)


def test_without_a_text_of_the_user_the_systems_is_the_sample() -> None:
    body = messages(user([{"type": "image", "source": {"type": "url", "url": "u"}}]), system="s" * 9_000)
    assert facts.read(body, "messages").sample.expose() == b"s" * 4_096


def test_pictures_count_as_tokens_and_not_by_their_bytes() -> None:
    body, found = of("messages-image-and-document")
    assert len(body) > 40_000
    assert 2 * facts.MEDIA_TOKENS < found.input_estimate < 2 * facts.MEDIA_TOKENS + 200


def test_a_picture_in_a_tools_result_counts_too() -> None:
    assert (
        of("messages-tool-loop")[1].input_estimate
        > facts.MEDIA_TOKENS
        > of("messages-tool-loop-ended")[1].input_estimate
    )


def test_a_prefix_names_the_conversation_whatever_is_said_later() -> None:
    first = user("Why is the sky blue?")
    system = [{"type": "text", "text": "Be kind."}]
    begun = facts.read(messages(first, system=system), "messages")
    answer: dict[str, object] = {"role": "assistant", "content": "Rayleigh."}
    gone_on = facts.read(messages(first, answer, user("And red?"), system=system), "messages")
    other = facts.read(messages(user("Why is grass green?"), system=system), "messages")
    assert begun.prefix.expose() == gone_on.prefix.expose() != other.prefix.expose()
    shared = {each.prefix.expose()[: each.shared_bytes] for each in (begun, other)}
    assert len(shared) == 1
    assert begun.shared_estimate == len(json.dumps(system)) // 4


def test_a_prefix_is_bounded() -> None:
    found = facts.read(messages(user("u" * 99_999), system="s" * 99_999, tools=[{"name": "t" * 99_999}]), "messages")
    assert len(found.prefix) <= 65_538


UNREAD = {
    "a number that is none": b'{"model":"m","messages":[],"temperature":NaN}',
    "infinity": b'{"model":"m","messages":[],"temperature":-Infinity}',
    "half a pair of surrogates, in capitals": b'{"model":"m","messages":[{"role":"user","content":"\\uDEAD"}]}',
    "half a pair of surrogates": b'{"model":"m","messages":[{"role":"user","content":"\\ud83d"}]}',
    "a byte order mark": b'\xef\xbb\xbf{"model":"m","messages":[]}',
    "no messages": b'{"model":"m"}',
    "messages of another type": b'{"model":"m","messages":"hi"}',
    "a message without a role": b'{"model":"m","messages":[{"content":"hi"}]}',
    "a block without a type": b'{"model":"m","messages":[{"role":"user","content":[{"text":"hi"}]}]}',
    "a bound in words": b'{"model":"m","messages":[],"max_tokens":"many"}',
}


@pytest.mark.parametrize("body", UNREAD.values(), ids=UNREAD)
def test_what_a_provider_may_take_is_forwarded_unread(body: bytes) -> None:
    found = facts.read(body, "messages")
    assert (found.model, found.model_span, found.is_readable) == ("m", (0, 0), False)
    assert len(found.sample) == len(found.prefix) == 0


def test_a_body_of_another_shape_still_says_whether_it_streams() -> None:
    for text, streams in ((b"true", True), (b"false", False), (b'"yes"', False), (b"null", False)):
        assert facts.read(b'{"model":"m","stream":%b}' % text, "messages").streams == streams


REFUSED: dict[str, tuple[bytes, errors.Flaw]] = {
    "nothing": (b"", "not-json"),
    "text": (b"model=m&messages=", "not-json"),
    "cut off": (b'{"model":"m","messages":[{"role":"user","content":"hi', "not-json"),
    "two objects": (b'{"model":"m"}{"model":"m"}', "not-json"),
    "a comma too many": (b'{"model":"m","messages":[],}', "not-json"),
    "an escape that is none": (b'{"model":"m","messages":[{"role":"user","content":"\\q"}]}', "not-json"),
    "a control character": (b'{"model":"m","messages":[{"role":"user","content":"\n"}]}', "not-json"),
    "UTF-16": ('{"model":"m"}'.encode("utf-16"), "not-json"),
    "a list": (b'[{"model":"m"}]', "no-model"),
    "no model": (b'{"messages":[{"model":"m"}]}', "no-model"),
    "a model that is null": (b'{"model":null,"messages":[]}', "no-model"),
    "a model that is no text": (b'{"model":["m"],"messages":[]}', "no-model"),
    "a model that is not UTF-8": (b'{"model":"m\xff","messages":[]}', "no-model"),
    "two models": (b'{"model":"m","messages":[],"model":"n"}', "two-models"),
    "a model twice": (b'{"model":"m","messages":[],"model":"m"}', "two-models"),
    "a model twice, once with an escape": (b'{"model":"m","messages":[],"mod\\u0065l":"n"}', "two-models"),
    "two models in another shape": (b'{"model":"m","model":"n"}', "two-models"),
    "arrays without end": (b'{"model":"m","messages":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "too-deep"),
    "objects without end": (b'{"model":"m","x":' + b'{"x":' * 100_000 + b"1" + b"}" * 100_000 + b"}", "too-deep"),
    "an array that is only opened": (b'{"model":"m","messages":' + b"[" * 100_000, "too-deep"),
}


@pytest.mark.parametrize(("body", "flaw"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("shape", ["messages", "chat"])
def test_what_no_provider_can_take_is_refused(body: bytes, flaw: errors.Flaw, shape: Shape) -> None:
    with pytest.raises(Malformed) as caught:
        facts.read(body, shape)
    assert caught.value.flaw == flaw


def test_every_flaw_is_shown() -> None:
    assert {flaw for _, flaw in REFUSED.values()} == set(errors.FLAWS)


LARGE: dict[str, tuple[Callable[[], bytes], bool]] = {
    "text": (lambda: messages(user("lorem ipsum \n" * 2_000_000)), True),
    "messages that are none": (lambda: b'{"model":"m","messages":[%b{}]}' % (b'{"role":"user"},' * 1_900_000), False),
    "models everywhere": (lambda: b'{"model":"m","messages":[%b{}]}' % (b'{"model":1},' * 2_500_000), False),
    "no JSON": (lambda: b'{"model":"m","messages":[%b1]}' % (b"NaN," * 7_000_000), False),
}


def test_a_large_body_that_is_no_json_is_left_to_the_provider() -> None:
    found = facts.read(b'{"model":"m","messages":[' + b" " * facts.LENIENT_BYTES_MAX, "messages")
    assert (found.model, found.is_readable) == ("", False)


@pytest.mark.parametrize(("make", "is_readable"), LARGE.values(), ids=LARGE)
def test_a_large_body_takes_little_memory(make: Callable[[], bytes], is_readable: bool) -> None:  # noqa: FBT001 (a table)
    body = make()
    assert len(body) > 26_000_000
    tracemalloc.start()
    try:
        assert facts.read(body, "messages").is_readable == is_readable
        assert tracemalloc.get_traced_memory()[1] < 16_000_000
    finally:
        tracemalloc.stop()
