"""Properties of the gates, checked against a second implementation of the contract, slow and plain."""

import json
import re

from hypothesis import given
from hypothesis import strategies as st

from ingest.intake.explain import explain
from schema.event import DROP_REASONS, Event
from schema.vocabulary import Mode
from tests.support import columns, sample
from tests.support.gauge import VOCABULARIES, window
from tests.support.judge import CONTRACT, is_accepted
from tests.support.values import NAMES, SCALARS, VALUES, few, many, text

_CANARY = "zq7canary"


@many
@given(name=st.sampled_from(Event.__struct_fields__), value=VALUES)
def test_any_value_of_any_field(name: str, value: object) -> None:
    is_accepted(text({"events": [sample.event(**{name: value})]}))


@many
@given(name=NAMES, value=VALUES)
def test_any_name_with_any_value_in_an_event(name: str, value: object) -> None:
    is_accepted(text({"events": [sample.event(**{name: value})]}))


@many
@given(name=NAMES, value=VALUES)
def test_any_name_with_any_value_beside_the_events(name: str, value: object) -> None:
    is_accepted(text({"events": [sample.event()], name: value}))


@many
@given(name=st.sampled_from(["stream", "dropped", "events"]), value=VALUES)
def test_any_value_of_the_envelope(name: str, value: object) -> None:
    is_accepted(text({"events": [sample.event()], name: value}))


@few
@given(tags=st.dictionaries(st.sampled_from(["team", "region"]) | st.text(max_size=9), VALUES, max_size=6))
def test_any_tags(tags: dict[str, object]) -> None:
    is_accepted(text({"events": [sample.event(tags=tags)]}))


@few
@given(value=VALUES)
def test_any_value_in_place_of_an_event(value: object) -> None:
    is_accepted(text({"events": [sample.event(), value]}))


@few
@given(value=VALUES)
def test_any_value_in_place_of_the_body(value: object) -> None:
    is_accepted(text(value))


@many
@given(body=st.binary(max_size=200))
def test_any_bytes(body: bytes) -> None:
    assert not is_accepted(body)


_BODY = sample.body(sample.event(), stream=sample.stream(1), dropped={"shutdown": 1})


@many
@given(place=st.integers(0, len(_BODY) - 1), byte=st.integers(0, 255))
def test_any_byte_of_a_good_body_changed(place: int, byte: int) -> None:
    is_accepted(_BODY[:place] + bytes([byte]) + _BODY[place + 1 :])


@many
@given(place=st.integers(0, len(_BODY)), put=st.binary(min_size=1, max_size=3))
def test_any_bytes_put_into_a_good_body(place: int, put: bytes) -> None:
    is_accepted(_BODY[:place] + put + _BODY[place:])


@few
@given(place=st.integers(0, len(_BODY) - 1), length=st.integers(1, 40))
def test_any_bytes_taken_out_of_a_good_body(place: int, length: int) -> None:
    is_accepted(_BODY[:place] + _BODY[place + length :])


# Every member of a body, however deep, as it is written there.
_MEMBER = re.compile(rb'"[a-z0-9_]+":(?:"[^"]*"|[0-9]+|true|false|null|\{[^{}]*\})')
_MEMBERS = [match.group() for match in _MEMBER.finditer(_BODY)]


@many
@given(member=st.sampled_from(_MEMBERS), value=SCALARS, is_first=st.booleans())
def test_any_name_twice_with_any_value_is_refused(member: bytes, value: object, *, is_first: bool) -> None:
    name = member.partition(b":")[0]
    other = name + b":" + json.dumps(value, ensure_ascii=True).encode()
    twice = other + b"," + member if is_first else member + b"," + other
    assert not is_accepted(_BODY.replace(member, twice, 1))


@few
@given(name=st.sampled_from(sorted(CONTRACT)), twin=st.characters(min_codepoint=0x80), place=st.integers(0, 40))
def test_a_name_with_a_letter_beyond_ascii_is_refused(name: str, twin: str, place: int) -> None:
    alike = name[: place % len(name)] + twin + name[place % len(name) + 1 :]
    body = json.dumps({"events": [sample.event(**{alike: 1})]}, ensure_ascii=False)
    assert not is_accepted(body.encode("utf-8", "surrogatepass"))


@few
@given(name=st.sampled_from(sorted(CONTRACT)), place=st.integers(0, 40))
def test_a_name_written_with_an_escape_is_refused(name: str, place: int) -> None:
    letter = name[place % len(name)]
    make = columns.body if name in {"terms", "tag_sets", "columns"} else sample.body
    body = make(sample.event(), stream=sample.stream(1), dropped=dict.fromkeys(DROP_REASONS, 1))
    assert not is_accepted(body.replace(name.encode(), name.replace(letter, f"\\u{ord(letter):04x}", 1).encode(), 1))


@few
@given(
    depth=st.integers(1, 100_000),
    opening=st.sampled_from([b"[", b'{"a":']),
    field=st.sampled_from(["tags", "provider"]),
)
def test_any_depth_is_refused_and_explained(depth: int, opening: bytes, field: str) -> None:
    closing = b"]" if opening == b"[" else b"}"
    body = sample.body(sample.event(**{field: "@"})).replace(b'"@"', opening * depth + b"0" + closing * depth)
    assert not is_accepted(body)


@many
@given(
    name=st.sampled_from([*Event.__struct_fields__, "prompt", "note"]),
    before=st.text(max_size=30),
    after=st.text(max_size=30),
)
def test_no_violation_carries_a_value_or_a_name(name: str, before: str, after: str) -> None:
    said = f"{before}{_CANARY}{after}"
    body = text({"events": [sample.event(**{name: said, said: said, "tags": {said: said}})], said: said})
    assert not is_accepted(body)
    refusal = explain(body, VOCABULARIES[Mode.LEARN], window())
    assert _CANARY not in repr(refusal.violations)
    assert _CANARY not in repr(refusal) + repr(refusal.args)
