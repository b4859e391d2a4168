"""Explanations of wrong values: the expected rule, its place, and what to send instead."""

from typing import NamedTuple

import pytest

from ingest.intake.explain import explain
from schema.decode import Refused, decode
from schema.event import DROP_REASONS, Event
from schema.limits import EVENTS_MAX
from schema.vocabulary import Mode
from tests.support import sample
from tests.support.gauge import VOCABULARIES, window
from tests.support.wire import Sender

WRONG, RANGE, VALUE = "shape.wrong-type", "shape.out-of-range", "shape.unknown-value"
TERMS = {
    "task_category": "vocabulary.unknown-task-category",
    "provider": "vocabulary.unknown-provider",
    "requested_model": "vocabulary.unknown-model",
    "routed_model": "vocabulary.unknown-model",
}
TOKENS = [name for name in Event.__struct_fields__ if name.endswith("_tokens")]
NUMBERS = [*TOKENS, "latency_ms"]
NULLABLE = ["cost_nanousd", "baseline_cost_nanousd", "ttft_ms", "http_status"]
FLAGS = ["streamed", "cached", "fallback", "retried", "escalated"]


class Said(NamedTuple):
    """The rules, pointers and words of a refusal."""

    rule: str
    pointer: str
    use: str | None = None


def said(body: bytes, mode: Mode = Mode.REFUSE) -> list[Said]:
    with pytest.raises(Refused):
        decode(body, VOCABULARIES[mode], window())
    return [Said(*violation) for violation in explain(body, VOCABULARIES[mode], window()).violations]


# JSON values, with the rule that refuses each in every field; None: accepted.
BY_KIND: dict[str, tuple[list[str], dict[str, str | None]]] = {
    "number": (
        NUMBERS,
        {
            "-1": RANGE, "100000000000000": RANGE, "9" * 40: RANGE, "1.5": WRONG, "1.0": WRONG, "8e2": WRONG,
            '"812"': WRONG, '""': WRONG, "null": WRONG, "true": WRONG, "[]": WRONG, "[812]": WRONG, "{}": WRONG,
        },
    ),
    "number or null": (
        NULLABLE,
        {
            "-1": RANGE, "100000000000000": RANGE, "1.5": WRONG, "2e2": WRONG, '"200"': WRONG, "null": None,
            "false": WRONG, "[]": WRONG, "{}": WRONG,
        },
    ),
    "flag": (
        FLAGS, {"0": WRONG, "1": WRONG, '"true"': WRONG, '"yes"': WRONG, "null": WRONG, "[]": WRONG, "{}": WRONG},
    ),
    "status": (
        ["status"],
        {'"succeeded"': VALUE, '""': VALUE, '"OK"': VALUE, "null": WRONG, "200": WRONG, "true": WRONG, "[]": WRONG},
    ),
    "stop reason": (
        ["stop_reason"],
        {'"stop"': VALUE, '""': VALUE, '"END_TURN"': VALUE, "null": None, "0": WRONG, "true": WRONG, '["stop"]': WRONG},
    ),
    "id": (
        ["event_id"],
        {
            '""': "shape.not-a-uuid", '"chatcmpl-812"': "shape.not-a-uuid", f'"{"a" * 32}"': "shape.not-a-uuid",
            '"urn:uuid:019aab12-7c3e-7cc3-98c4-dc0c0c07398f"': "shape.not-a-uuid",
            '"{019aab12-7c3e-7cc3-98c4-dc0c0c07398f}"': "shape.not-a-uuid",
            '"019aab12-7c3e-4cc3-98c4-dc0c0c07398f"': "shape.not-a-uuidv7",
            '"00000000-0000-0000-0000-000000000000"': "shape.not-a-uuidv7",
            '"00000000-0000-7000-8000-000000000000"': "time.too-old",
            '"ffffffff-ffff-7fff-bfff-ffffffffffff"': "time.in-future",
            "null": WRONG, "812": WRONG, "true": WRONG, "[]": WRONG, "{}": WRONG,
        },
    ),
    "tags": (
        ["tags"],
        {"null": WRONG, "[]": WRONG, '""': WRONG, "0": WRONG, '["team"]': WRONG, "true": WRONG},
    ),
}  # fmt: skip
TABLE = [
    (field, value, rule)
    for fields, values in BY_KIND.values()
    for field in fields
    for value, rule in values.items()
    if rule is not None
]


def with_value(field: str, value: str) -> bytes:
    return sample.body(sample.event(**{field: "@"})).replace(b'"@"', value.encode())


@pytest.mark.parametrize(("field", "value", "rule"), TABLE)
def test_each_wrong_value_of_each_field_is_named_as_what_it_is(field: str, value: str, rule: str) -> None:
    assert [(each.rule, each.pointer) for each in said(with_value(field, value))] == [(rule, f"/events/0/{field}")]


@pytest.mark.parametrize("field", TERMS)
@pytest.mark.parametrize(
    ("value", "is_string"),
    [('""', True), ('"a"', True), (f'"{"a" * 97}"', True), (f'"{"a" * 9_000}"', True), ("null", False), ("1", False),
     ("true", False), ("[]", False), ('["unknown"]', False), ("{}", False)],
)  # fmt: skip
def test_each_wrong_term_is_unknown_or_of_the_wrong_type(field: str, value: str, *, is_string: bool) -> None:
    rule = TERMS[field] if is_string else WRONG
    assert [(each.rule, each.pointer) for each in said(with_value(field, value))] == [(rule, f"/events/0/{field}")]


@pytest.mark.parametrize("field", Event.__struct_fields__)
def test_every_field_has_its_row_in_the_table_and_is_missed(field: str) -> None:
    assert field in TERMS or field in {name for names, _ in BY_KIND.values() for name in names}
    event = sample.event()
    del event[field]
    assert said(sample.body(event)) == [Said("shape.missing-field", f"/events/0/{field}")]


_STREAM = {"id": "@uuid", "sequence": 41}


@pytest.mark.parametrize(
    ("envelope", "expected"),
    [
        ({"stream": None}, [(WRONG, "/stream")]),
        ({"stream": []}, [(WRONG, "/stream")]),
        ({"stream": "main"}, [(WRONG, "/stream")]),
        ({"stream": {}}, [("shape.missing-field", "/stream/id"), ("shape.missing-field", "/stream/sequence")]),
        ({"stream": {**_STREAM, "sequence": -1}}, [(RANGE, "/stream/sequence")]),
        ({"stream": {**_STREAM, "sequence": 2**53}}, [(RANGE, "/stream/sequence")]),
        ({"stream": {**_STREAM, "sequence": "41"}}, [(WRONG, "/stream/sequence")]),
        ({"stream": {**_STREAM, "sequence": None}}, [(WRONG, "/stream/sequence")]),
        ({"stream": {**_STREAM, "sequence": 1.0}}, [(WRONG, "/stream/sequence")]),
        ({"stream": {**_STREAM, "id": "proxy-1"}}, [("shape.not-a-uuid", "/stream/id")]),
        ({"stream": {**_STREAM, "id": 7}}, [(WRONG, "/stream/id")]),
        ({"stream": {**_STREAM, "name": "a"}}, [("content.free-form", "/stream/*")]),
        ({"stream": {**_STREAM, "epoch": 1}}, [("shape.unknown-field", "/stream/*")]),
        ({"dropped": None}, [(WRONG, "/dropped")]),
        ({"dropped": 3}, [(WRONG, "/dropped")]),
        ({"dropped": [3]}, [(WRONG, "/dropped")]),
        ({"dropped": {"buffer_overflow": 3}}, [(VALUE, "/dropped/*")]),
        ({"dropped": {"Queue_Full": 3, "shutdown": 1}}, [(VALUE, "/dropped/*")]),
        ({"dropped": {"error": 3}}, [("content.error", "/dropped/*")]),
        ({"dropped": {"queue_full": 2**31}}, [(RANGE, "/dropped/queue_full")]),
        ({"dropped": {"queue_full": 10**30}}, [(RANGE, "/dropped/queue_full")]),
        ({"dropped": {"shutdown": -1}}, [(RANGE, "/dropped/shutdown")]),
        ({"dropped": {"refused": "3"}}, [(WRONG, "/dropped/refused")]),
        ({"dropped": {"refused": None}}, [(WRONG, "/dropped/refused")]),
        ({"dropped": {"refused": 1.5}}, [(WRONG, "/dropped/refused")]),
        ({"dropped": {"refused": {"count": 1}}}, [(WRONG, "/dropped/refused")]),
        ({"dropped": dict.fromkeys(DROP_REASONS, 2 ** 31)}, [(RANGE, f"/dropped/{each}") for each in DROP_REASONS]),
    ],
)  # fmt: skip
def test_each_wrong_envelope_is_named_as_what_it_is(
    envelope: dict[str, object], expected: list[tuple[str, str]]
) -> None:
    body = sample.body(**envelope).replace(b"@uuid", sample.uuid7().encode())
    assert sorted((each.rule, each.pointer) for each in said(body)) == sorted(expected)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", [("shape.malformed-json", "")]),
        (b"{}", [("shape.missing-field", "/events")]),
        (b"[]", [(WRONG, "")]),
        (b"null", [(WRONG, "")]),
        (b'"events"', [(WRONG, "")]),
        (b'{"events":{}}', [(WRONG, "/events")]),
        (b'{"events":null}', [(WRONG, "/events")]),
        (b'{"events":[]}', [("size.no-events", "/events")]),
        (b'{"events":[ \n ]}', [("size.no-events", "/events")]),
        (b'{"events":[null]}', [(WRONG, "/events/0")]),
        (b'{"events":[[]]}', [(WRONG, "/events/0")]),
        (b'{"events":["a"]}', [(WRONG, "/events/0")]),
        (b'{"dropped":{}}', [("shape.missing-field", "/events")]),
        (b'{"events":[],"dropped":{ }}', [("size.no-events", "/events")]),
        (b'{"dropped":{"shutdown":1}}', [("shape.dropped-without-stream", "/stream")]),
        (b'{"events":[],"dropped":{"shutdown":1}}', [("shape.dropped-without-stream", "/stream")]),
        (b'{"events":[],"dropped":{"shutdown":1},"dropped":{"shutdown":1}}', [
            ("shape.duplicate-key", ""), ("shape.dropped-without-stream", "/stream"),
        ]),
    ],
)  # fmt: skip
def test_each_wrong_body_is_named_as_what_it_is(body: bytes, expected: list[tuple[str, str]]) -> None:
    assert [(each.rule, each.pointer) for each in said(body)] == expected


@pytest.mark.parametrize(
    ("changed", "pointer"),
    [
        ({"output_tokens": 96, "reasoning_tokens": 97}, "/events/0/reasoning_tokens"),
        ({"latency_ms": 840, "ttft_ms": 841}, "/events/0/ttft_ms"),
    ],
)
def test_what_does_not_fit_another_field_is_named_itself(changed: dict[str, object], pointer: str) -> None:
    assert said(sample.body(sample.event(**changed))) == [Said("shape.inconsistent", pointer)]


SLASHED = "meta-llama/Llama-3.3-70B-Instruct"
ENCODERS = {
    "PHP": lambda text: text.replace("/", "\\/"),
    ".NET": lambda text: text.replace("+", "\\u002B").replace("'", "\\u0027"),
    "Go": lambda text: text.replace("&", "\\u0026").replace("<", "\\u003c"),
    "Gson": lambda text: text.replace("=", "\\u003d"),
    "every slash as a number": lambda text: text.replace("/", "\\u002f"),
}


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("mode", Mode)
def test_a_body_whose_only_fault_is_an_escape_is_refused_for_that_alone(encoder: str, mode: Mode) -> None:
    event = sample.event(requested_model=SLASHED, routed_model="openai/gpt-4o")
    text = ENCODERS[encoder](sample.body(event, event, event).decode())
    if "\\" not in text:  # This encoder escapes nothing in a model's id, so a letter is escaped by its number.
        text = text.replace("anthropic", "anthr\\u006fpic")
        assert said(text.encode(), mode)[0].rule == "shape.escape"
        return
    assert said(text.encode(), mode) == [Said("shape.escape", "")]


def test_a_whole_batch_as_php_writes_it_is_explained_by_one_violation(sender: Sender) -> None:
    events = [sample.event(requested_model=SLASHED, routed_model=SLASHED) for _ in range(EVENTS_MAX)]
    answer = sender.post(sample.body(*events).replace(b"/", b"\\/"))
    assert answer.violations == [("shape.escape", "")]
    assert b"JSON_UNESCAPED_SLASHES" in answer.body


@pytest.mark.parametrize(
    ("changed", "rules"),
    [
        ({"requested_model": "nobody/nothing"}, ["shape.escape", "vocabulary.unknown-model"]),
        ({"prompt": "and/or"}, ["content.prompt", "shape.escape"]),
        ({"note2": "and/or"}, ["shape.escape", "shape.unknown-field"]),
        ({"provider": "sk-ant-api03-a/b" + "c" * 20}, ["secret.anthropic-key", "shape.escape"]),
    ],
)
def test_an_escape_is_named_before_what_it_may_have_caused(changed: dict[str, object], rules: list[str]) -> None:
    body = sample.body(sample.event(**changed)).replace(b"/", b"\\/")
    assert [each.rule for each in said(body)] == rules


@pytest.mark.parametrize("text", ["a\\\\/b", "a\\\\u0026b", "\\\\", "\\/\\\\", "\\u005c/", "\\u0022", "\\ud83d\\ude00"])
def test_an_escaped_backslash_is_no_malformed_body(text: str) -> None:
    assert "shape.malformed-json" not in {each.rule for each in said(with_value("requested_model", f'"{text}"'))}
