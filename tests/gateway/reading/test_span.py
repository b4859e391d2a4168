"""Only the top-level model is replaced, and no other byte: by properties of any request, and by traps."""

import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.gateway.reading import facts, span
from ingest.gateway.reading.errors import Malformed
from tests.support.values import few

_NAMES = st.sampled_from(["claude-opus-4-5", "m", "", 'a"b', "\\", "modèle", "x" * 300]) | st.text(max_size=9)
_KEYS = st.sampled_from(["model", "Model", 'x"model', "messages", "\\", "model "]) | st.text(max_size=4)
_TRAPS = st.sampled_from(['"model":"m"', '{"model": "m"}', '"model'])
_TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | _NAMES | _TRAPS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=12,
)
_SPACE = st.text(" \t\r\n", max_size=2)


@st.composite
def keys(draw: st.DrawFn) -> str:
    """Spell "model", with any letters escaped."""
    return '"' + "".join(draw(st.sampled_from([letter, f"\\u{ord(letter):04x}"])) for letter in "model") + '"'


@st.composite
def requests(draw: st.DrawFn) -> tuple[bytes, str]:
    """Make a request whose members are in any order, with any space and any escapes, and its model."""
    members = draw(st.dictionaries(_KEYS.filter(lambda key: key != "model"), _TREES, max_size=5))
    model = draw(_NAMES)
    items = [*((json.dumps(key), value) for key, value in members.items()), (draw(keys()), model)]
    parts = []
    for key, value in draw(st.permutations(items)):
        text = json.dumps(value, ensure_ascii=draw(st.booleans()), indent=draw(st.none() | st.integers(0, 2)))
        parts.append(f"{draw(_SPACE)}{key}{draw(_SPACE)}:{draw(_SPACE)}{text}{draw(_SPACE)}")
    return f"{draw(_SPACE)}{{{','.join(parts)}}}{draw(_SPACE)}".encode(), model


@few
@given(request=requests(), other=_NAMES.filter(lambda name: name.isprintable()))
def test_another_model_changes_the_model_and_no_other_byte(request: tuple[bytes, str], other: str) -> None:
    body, model = request
    start, end = span.find(body)
    assert json.loads(body[start:end]) == model
    before, name, after = span.replaced(body, (start, end), other)
    assert (bytes(before), bytes(after)) == (body[:start], body[end:])
    assert json.loads(b"".join([before, name, after])) == json.loads(body) | {"model": other}


@few
@given(request=requests(), key=keys(), name=_NAMES)
def test_a_second_model_is_refused(request: tuple[bytes, str], key: str, name: str) -> None:
    start = request[0].index(b"{") + 1
    second = f"{key}:{json.dumps(name)},".encode()
    with pytest.raises(Malformed):
        span.find(request[0][:start] + second + request[0][start:])


@few
@given(body=st.binary(max_size=40) | st.text('{}[]:,"model\\u06f \n', max_size=40).map(str.encode))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    for shape in ("messages", "chat"):
        try:
            found = facts.read(body, shape)
        except Malformed:
            continue
        if found.is_readable:
            assert json.loads(body[slice(*found.model_span)]) == found.model == json.loads(body)["model"]


TRAPS = {
    "in a text": b'{"messages":[{"content":"\\"model\\":\\"no\\""}],"model":"yes"}',
    "in a tool": b'{"tools":[{"input_schema":{"properties":{"model":{"type":"no"}}}}],"model":"yes"}',
    "in metadata, before": b'{"metadata":{"model":"no"},"model":"yes"}',
    "in metadata, after": b'{"model":"yes","metadata":{"model":"no"}}',
    "in an object of an array": b'{"a":[[{"model":"no"}],{"model":"no"}],"model":"yes","b":[{"model":"no"}]}',
    "as a text of its own": b'{"a":"model","model":"yes","b":["model"]}',
    "as the end of a key": b'{"x\\"model":"no","model":"yes"}',
    "as the end of a key, after": b'{"model":"yes","x\\"model":"no","\\"model":{}}',
    "as the end of a nested key": b'{"a":{"x\\"model":"no"},"model":"yes"}',
    "with an escape": b'{"metadata":{"model":"no"},"m\\u006fdel":"yes"}',
    "all in escapes": b'{"\\u006D\\u006F\\u0064\\u0065\\u006C":"yes","model ":"no"}',
    "over several lines": b'{\n\t"model"\r\n :\n "yes"\n}',
    "escapes in the text alone": b'{"messages":"\\u006dodel","model":"yes"}',
}


@pytest.mark.parametrize("body", TRAPS.values(), ids=TRAPS)
def test_the_top_level_model_is_found_among_others(body: bytes) -> None:
    start, end = span.find(body)
    assert body[start:end] == b'"yes"'


def test_a_thousand_models_below_the_top_are_told_apart() -> None:
    nested = b",".join([b'{"model":"no"}'] * 1_000)
    body = b'{"a":[%b],"model":"yes","b":[%b]}' % (nested, nested)
    assert body[slice(*span.find(body))] == b'"yes"'


def test_more_than_are_compared_are_not_guessed_about() -> None:
    with pytest.raises(span.TooManyCandidates):
        span.find(b'{"a":[%b{}],"model":"m"}' % (b'{"model":1},' * span.CANDIDATES_MAX))


def test_a_name_of_escapes_takes_no_more_memory_than_the_body() -> None:
    name = b"\\n" * 2_000_000
    body = b'{"model": "' + name + b'", "messages": []}'
    tracemalloc.start()
    try:
        assert span.find(body) == (10, 12 + len(name))
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < len(body)
