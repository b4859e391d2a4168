"""Requests in both encodings: the same parts, bounded work, and no other answer to bad bytes than a refusal."""

import json
import struct
from typing import NamedTuple

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from ingest.intake.errors import Malformed, Rejected
from ingest.intake.otlp import json_text, messages, protobuf
from ingest.intake.otlp.messages import Attribute, Encoding, Record, Resource, Scope, Unread
from tests.support import otlp
from tests.support.otlp import Json

READERS = {"protobuf": protobuf.ENCODING, "json": json_text.ENCODING}
VALUES: dict[str, object] = {
    "text": "a", "empty": "", "yes": True, "no": False, "zero": 0, "negative": -(2**63), "large": 2**63 - 1,
    "half": 0.5, "list": ["a", "b"], "nothing": [], "numbers": [1, 2], "pairs": {"a": {"b": "c"}}, "bytes": b"\x00",
    "none": None, "no pairs": {}, "umlaut": "Grüße", "long list": ["a" * 100] * 100,
}  # fmt: skip


class Read(NamedTuple):
    """All that a reader makes of a request."""

    parts: list[messages.Part]
    attributes: list[list[Attribute]]
    nested: list[list[Attribute]]
    leaves: list[list[Attribute]]


def read(encoding: Encoding, body: bytes, *, is_log: bool = False) -> Read:
    parts = list((encoding.logs if is_log else encoding.spans)(body))
    records = [part for part in parts if isinstance(part, Record)]
    return Read(
        [_without_bytes(part) for part in parts],
        [[encoding.attribute(each) for each in part.attributes] for part in parts],
        [[encoding.attribute(each) for each in some] for record in records for some in record.nested],
        [list(encoding.leaves(record.body)) for record in records if record.body],
    )


def _without_bytes(part: messages.Part) -> messages.Part:
    if isinstance(part, Record):
        return part._replace(attributes=[], nested=[], body=b"")
    return part._replace(attributes=[])


def refusal(encoding: Encoding, body: bytes, *, is_log: bool = False) -> str | None:
    """Return the rule by which a reader refuses a body."""
    try:
        read(encoding, body, is_log=is_log)
    except (Malformed, Rejected) as error:
        return error.violations[0].rule
    return None


def test_both_encodings_of_spans_are_read_alike() -> None:
    child = otlp.span(
        VALUES, parentSpanId="00f067aa0ba902b7", status={"code": 2, "message": "it failed"}, traceState="a=b",
        events=[{"name": "exception", "timeUnixNano": "1", "attributes": otlp.attributes(VALUES)}],
        links=[{"traceId": "0" * 31 + "1", "spanId": "0" * 15 + "1", "attributes": otlp.attributes({"a": "b"})}],
    )  # fmt: skip
    scope: Json = {"name": "scope", "version": "1", "attributes": otlp.attributes({"scoped": 1})}
    request = otlp.traces(child, otlp.span(), resource=VALUES, scope=scope)
    made = {name: read(READERS[name], otlp.encoded(request, name)) for name in otlp.ENCODINGS}
    assert made["protobuf"] == made["json"]
    resource, scoped, first, _ = made["json"].parts
    assert isinstance(resource, Resource)
    assert isinstance(scoped, Scope)
    assert isinstance(first, Record)
    assert (scoped.name, first.message, first.is_error) == ("scope", "it failed", True)
    assert first.parent_id.hex() == "00f067aa0ba902b7"
    values = dict(made["json"].attributes[0])
    assert values["list"] == ("a", "b")
    assert (values["negative"], values["large"], values["half"]) == (-(2**63), 2**63 - 1, 0.5)
    assert {key for key, value in values.items() if value is Unread.STRUCTURE} == {
        "numbers", "pairs", "bytes", "long list",
    }  # fmt: skip
    assert [values["none"], values["no pairs"], values["nothing"], values["empty"]] == [None, None, (), ""]


def test_both_encodings_of_logs_are_read_alike() -> None:
    body = otlp.any_value({"index": 0, "message": {"role": "assistant", "deep": {"er": {"and": {"deeper": "x"}}}}})
    request = otlp.logs(otlp.log("gen_ai.choice", VALUES, body=body), otlp.log("plain", {}, body={"stringValue": "x"}))
    made = {name: read(READERS[name], otlp.encoded(request, name), is_log=True) for name in otlp.ENCODINGS}
    assert made["protobuf"] == made["json"]
    structured, plain = made["json"].leaves
    assert structured == [
        ("index", 0), ("message.role", "assistant"), ("message.deep.er.and", Unread.STRUCTURE),
    ]  # fmt: skip
    assert plain == [("", "x")]


@pytest.mark.parametrize("name", otlp.ENCODINGS)
def test_an_empty_request_has_no_parts(name: str) -> None:
    assert list(READERS[name].spans(b"")) == []
    assert list(READERS[name].logs(b"")) == []


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_a_refusal(body: bytes) -> None:
    for encoding in READERS.values():
        refusal(encoding, body)
        refusal(encoding, body, is_log=True)


_READ = {key: value for key, value in VALUES.items() if key not in {"pairs", "bytes", "numbers", "long list"}}
# Without what is not read or is read once of several, and with ids that are text: else the two differ rightly.
_PLAIN_SPAN = otlp.span(_READ, traceId="11" * 16, spanId="22" * 8, start_ms=1_795_376_540_613)
_REQUEST = otlp.encoded(otlp.traces({key: value for key, value in _PLAIN_SPAN.items() if key != "status"}), "protobuf")

_UNREAD = {(0x12, 0x1A), (0x4A, 0x5A)}  # What becomes a schema's URL, or an event, whose name is not read.


@pytest.mark.parametrize("bit", range(8))
def test_damage_that_the_library_refuses_is_refused(bit: int) -> None:
    refused = 0
    for place, byte in enumerate(_REQUEST):
        damaged = _REQUEST[:place] + bytes([byte ^ 1 << bit]) + _REQUEST[place + 1 :]
        try:
            ExportTraceServiceRequest.FromString(damaged)
        except DecodeError:
            refused += 1
            is_unread = (byte, damaged[place]) in _UNREAD or _has_unread(damaged)
            assert refusal(protobuf.ENCODING, damaged) is not None or is_unread, place
    assert refused > len(_REQUEST) // 20


def _has_unread(damaged: bytes) -> bool:
    """Return whether the damage made a value one that is not read."""
    try:
        found = read(protobuf.ENCODING, damaged)
    except (Malformed, Rejected):
        return False
    values = [value for some in (*found.attributes, *found.nested) for _, value in some]
    return Unread.STRUCTURE in values


def field(number: int, value: bytes) -> bytes:
    """Encode a field of bytes."""
    return protobuf_varint(number << 3 | 2) + protobuf_varint(len(value)) + value


def protobuf_varint(value: int) -> bytes:
    written = b""
    while value > 0x7F:
        written += bytes([value & 0x7F | 0x80])
        value >>= 7
    return written + bytes([value])


def spans(*wires: bytes) -> bytes:
    return field(1, field(2, b"".join(field(2, wire) for wire in wires)))


ID_FIELDS = field(1, b"\x01" * 16) + field(2, b"\x01" * 8)


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        (b"\x0b", "shape.malformed-otlp"),  # A group.
        (b"\x0e", "shape.malformed-otlp"),  # Wire types that do not exist.
        (b"\x0f", "shape.malformed-otlp"),
        (b"\x02\x00", "shape.malformed-otlp"),  # Field 0.
        (b"\x0a\x05a", "shape.malformed-otlp"),  # Cut short.
        (b"\x0a", "shape.malformed-otlp"),
        (b"\x09\x00", "shape.malformed-otlp"),
        (b"\xff" * 11, "shape.malformed-otlp"),  # A number that does not end.
        (b"\x08" + b"\xff" * 9 + b"\x7f", "shape.malformed-otlp"),  # A number of 70 bits.
        (b"\x08\x01", "shape.malformed-otlp"),  # A number in place of a message.
        (spans(b"\x08\x01"), "shape.malformed-otlp"),
        (spans(field(1, b"\x01" * 15)), "shape.malformed-otlp"),  # Ids of other lengths.
        (spans(field(2, b"\x01" * 9)), "shape.malformed-otlp"),
        (spans(field(7, b"1")), "shape.malformed-otlp"),  # A time that is text.
        (spans(field(5, b"\xff")), "shape.malformed-otlp"),  # A name that is not UTF-8.
        (spans(ID_FIELDS + field(9, field(1, b"\xff"))), "shape.malformed-otlp"),
        (spans(ID_FIELDS + field(9, field(2, b"\x08\x01"))), "shape.malformed-otlp"),
        (spans(ID_FIELDS + field(9, field(2, field(3, b"1")))), "shape.malformed-otlp"),
        (spans(ID_FIELDS + b"\x48\x01"), "shape.malformed-otlp"),
        (spans(ID_FIELDS + 1_001 * field(9, b"")), "size.too-many-attributes"),
        (spans(ID_FIELDS + 3 * field(11, 400 * field(3, b""))), "size.too-many-attributes"),
        (spans(*[b""] * 20_001), "size.too-many-attributes"),
        (20_001 * field(1, b""), "size.too-many-attributes"),
        (field(1, b"".join([field(2, field(2, b""))] * 10_001)), "size.too-many-events"),
    ],
)
def test_bad_protobuf_is_refused(body: bytes, rule: str) -> None:
    assert refusal(protobuf.ENCODING, body) == rule


def test_unknown_fields_are_skipped() -> None:
    unknown = field(100, b"text") + b"\xa0\x06\x01" + b"\xa1\x06" + b"\x01" * 8 + b"\xa5\x06" + b"\x01" * 4
    body = field(1, unknown + field(2, unknown + field(2, unknown + ID_FIELDS)))
    assert [part.trace_id for part in protobuf.spans(body) if isinstance(part, Record)] == [b"\x01" * 16]


def test_the_last_of_a_repeated_field_counts_as_in_protobuf() -> None:
    value = field(1, b"first") + field(1, b"last") + b"\x21" + struct.pack("<d", 0.5)
    assert protobuf.attribute(field(1, b"key") + field(2, value)) == ("key", 0.5)


def test_pairs_are_not_read_however_deep() -> None:
    value = field(1, b"x")
    for _ in range(10_000):
        value = field(6, field(1, field(1, b"k") + field(2, value)))
    assert protobuf.attribute(field(1, b"key") + field(2, value)) == ("key", Unread.STRUCTURE)
    assert [leaf for _, leaf in protobuf.leaves(value)] == [Unread.STRUCTURE]


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"traceId": "z" * 32}, "shape.malformed-otlp"),
        ({"traceId": "ab"}, "shape.malformed-otlp"),
        ({"spanId": 5}, "shape.malformed-otlp"),
        ({"startTimeUnixNano": "soon"}, "shape.malformed-otlp"),
        ({"startTimeUnixNano": "1_000"}, "shape.malformed-otlp"),
        ({"startTimeUnixNano": 1.5}, "shape.malformed-otlp"),
        ({"attributes": {"gen_ai.request.model": "x"}}, "shape.malformed-otlp"),
        ({"attributes": [{"key": "a", "value": "x"}]}, "shape.malformed-otlp"),
        ({"attributes": [{"key": "a", "value": {"intValue": "x"}}]}, "shape.malformed-otlp"),
        ({"attributes": [{"key": "a", "value": {"doubleValue": "x"}}]}, "shape.malformed-otlp"),
        ({"attributes": [{"key": 1}]}, "shape.malformed-otlp"),
        ({"attributes": [{}] * 1_001}, "size.too-many-attributes"),
        ({"attributes": [{}] * 10_001}, "size.too-many-attributes"),
        ({f"new{number}": 1 for number in range(101)}, "size.too-many-names"),
        ({"events": [{"attributes": [{}] * 400}] * 3}, "size.too-many-attributes"),
        ({"status": {"code": "STATUS_CODE_ERROR"}}, "shape.malformed-otlp"),
        ({"events": {}}, "shape.malformed-otlp"),
        ({"prompt": "hello"}, "content.prompt"),
        ({"status": {"completion": "hello"}}, "content.output"),
        ({"events": [{"messages": []}]}, "content.message"),
        ({"apiKey": "hello"}, "secret.field"),
    ],
)
def test_a_bad_span_in_json_is_refused(changed: Json, rule: str) -> None:
    body = json.dumps(otlp.traces({**otlp.span(), **changed})).encode()
    assert refusal(json_text.ENCODING, body) == rule


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b'"x"', b"\xff", b'{"resourceSpans": {}}', b'{"resourceSpans": [1]}', b'{"resourceLogs": []}',
     b'{"resourceSpans": ' + b"[" * 5_000 + b"]" * 5_000 + b"}"],
)  # fmt: skip
def test_bad_json_is_refused(body: bytes) -> None:
    assert refusal(json_text.ENCODING, body) == "shape.malformed-otlp"


@pytest.mark.parametrize("place", ["", "resourceSpans", "resourceSpans resource", "resourceSpans scopeSpans"])
def test_an_object_with_half_a_million_names_is_refused(place: str) -> None:
    body = b"{" + b",".join(b'"n%d":1' % number for number in range(490_000)) + b"}"
    for name in reversed(place.split()):
        body = b'{"%s": %s}' % (name.encode(), body if name == "resource" else b"[%s]" % body)
    assert refusal(json_text.ENCODING, body) == "size.too-many-names"


def test_members_that_otlp_lacks_are_ignored() -> None:
    body = json.dumps(otlp.traces({**otlp.span(), "newInOtlp": {"a": 1}, "trace_id": "x"})).encode()
    assert refusal(json_text.ENCODING, body) is None


def test_json_that_would_take_much_memory_is_refused() -> None:
    assert refusal(json_text.ENCODING, b'{"resourceSpans":[' + b"{}," * 500_001 + b"{}]}") == "size.too-many-attributes"
    groups = b'{"resourceSpans":[' + b"{}," * 20_000 + b"{}]}"
    assert refusal(json_text.ENCODING, groups) == "size.too-many-events"
    many = b'{"resourceSpans":[{"scopeSpans":[{"spans":[' + b"{}," * 20_000 + b"{}]}]}]}"
    assert refusal(json_text.ENCODING, many) == "size.too-many-events"


def test_numbers_that_json_lacks_are_read() -> None:
    text = b'{"key": "a", "value": {"doubleValue": "Infinity"}}'
    assert json_text.attribute(text) == ("a", float("inf"))
    assert json_text.attribute(b'{"key": "a", "value": {"intValue": 5}}') == ("a", 5)
    assert json_text.attribute(b'{"key": "a", "value": null}') == ("a", None)
    assert json_text.attribute(b"{}") == ("", None)
