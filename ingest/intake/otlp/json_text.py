"""Reads export requests in JSON, as OTLP/HTTP has it: ids in hexadecimal, enums as integers, names in lowerCamelCase.

Members that no message has are ignored, as OTLP asks, but for those whose name is a name of content.
"""

import re
from binascii import unhexlify
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import msgspec
from msgspec import Raw, Struct

from ingest.intake import members
from ingest.intake.errors import Rejected
from ingest.intake.otlp import json_forms
from ingest.intake.otlp.messages import (
    LIST_BYTES_MAX,
    PARTS_MAX,
    RECORD_ATTRIBUTES_MAX,
    SPAN_ID_BYTES,
    TRACE_ID_BYTES,
    Attribute,
    Attributes,
    Encoding,
    Parts,
    Record,
    Resource,
    Scope,
    Unread,
    Value,
    malformed,
    too_large,
)
from schema.rules import Violation, rule_of_name

_COMMAS_MAX = 500_000  # More than a good body of 8 MiB has: each may cost an object.
_RECORD_COMMAS_MAX = 10 * RECORD_ATTRIBUTES_MAX
_MEMBERS_MAX = 100  # Of a message. OTLP's have 16 at most.
_DEPTH_MAX = 4  # Of a log record's body.
_STATUS_ERROR = 2
_SPACES = b" \t\r\n"
_NOTHING = {b"", b"null", b"nullnull", b'""', b"{}", b'{"values":[]}'}  # A list of pairs or bytes that are empty.
_INTEGER = re.compile(r"-?[0-9]{1,20}\Z")
_Read = TypeVar("_Read", bound=Struct)
_key_value = msgspec.json.Decoder(json_forms.KeyValue)
_any_value = msgspec.json.Decoder(json_forms.AnyValue)
_array_value = msgspec.json.Decoder(json_forms.ArrayValue)
_pairs_value = msgspec.json.Decoder(json_forms.PairsValue)


def spans(body: bytes) -> Parts:
    """Return the parts of an ExportTraceServiceRequest; raises Malformed, Rejected."""
    request = _request(body)
    if request.resource_logs is not None:
        raise malformed()
    yield from _parts(request.resource_spans)


def logs(body: bytes) -> Parts:
    """Return the parts of an ExportLogsServiceRequest; raises Malformed, Rejected."""
    request = _request(body)
    if request.resource_spans is not None:
        raise malformed()
    yield from _parts(request.resource_logs)


def attribute(text: bytes) -> Attribute:
    """Read a KeyValue; raises Malformed."""
    with _reading():
        pair = _key_value.decode(text)
    return pair.key, _value(bytes(pair.value)) if _is_there(pair.value) else None


def leaves(text: bytes) -> Iterator[Attribute]:
    """Read an AnyValue to its leaves, each with its path; raises Malformed."""
    return _leaves(text, "", _DEPTH_MAX)


def _leaves(text: bytes, path: str, depth_left: int) -> Iterator[Attribute]:
    with _reading():
        pairs = _any_value.decode(text).kvlist_value
        values = _pairs_value.decode(pairs).values if depth_left and _is_there(pairs) else None
    if not values:
        yield path, _value(text)
        return
    for each in values:
        if _is_there(each.value):
            yield from _leaves(bytes(each.value), f"{path}.{each.key}" if path else each.key, depth_left - 1)


def _request(body: bytes) -> json_forms.Request:
    if body.count(b",") > _COMMAS_MAX:
        raise too_large("size.too-many-attributes")
    return (
        _read(body, json_forms.Request) if body else json_forms.Request()
    )  # An empty body is an empty request, as in protobuf.


def _parts(groups: json_forms.List) -> Parts:
    left = PARTS_MAX - len(groups or ())
    if left < 0:
        raise too_large("size.too-many-events")
    for group in (_read(raw, json_forms.Group) for raw in groups or ()):
        yield Resource(_attributes(_optional(group.resource, json_forms.Resource).attributes))
        for inner in (_read(raw, json_forms.ScopeGroup) for raw in group.scope_spans or group.scope_logs or ()):
            spans, log_records = inner.spans or [], inner.log_records or []
            left -= 2 + len(spans) + len(log_records)
            if left < 0:
                raise too_large("size.too-many-events")
            scope = _optional(inner.scope, json_forms.Scope)
            yield Scope(scope.name or "", _attributes(scope.attributes))
            yield from map(_span, spans)
            yield from map(_log, log_records)


def _record(raw: Raw, kind: type[_Read]) -> _Read:
    if bytes(raw).count(b",") > _RECORD_COMMAS_MAX:
        raise too_large("size.too-many-attributes")
    return _read(raw, kind)


def _span(raw: Raw) -> Record:
    span = _record(raw, json_forms.Span)
    status = _optional(span.status, json_forms.Status)
    nested = [
        _attributes(_read(each, json_forms.Nested).attributes) for each in (*(span.events or ()), *(span.links or ()))
    ]
    attributes = _attributes(span.attributes)
    if len(attributes) + sum(map(len, nested)) > RECORD_ATTRIBUTES_MAX:
        raise too_large("size.too-many-attributes")
    return Record(
        _id(span.trace_id, TRACE_ID_BYTES),
        _id(span.span_id, SPAN_ID_BYTES),
        _id(span.parent_span_id, SPAN_ID_BYTES),
        span.name or "",
        _integer(span.start_time_unix_nano),
        _integer(span.end_time_unix_nano),
        status.code == _STATUS_ERROR,
        status.message or "",
        attributes,
        nested,
        b"",
    )


def _log(raw: Raw) -> Record:
    log = _record(raw, json_forms.Log)
    at_ns = _integer(log.time_unix_nano)
    return Record(
        _id(log.trace_id, TRACE_ID_BYTES),
        _id(log.span_id, SPAN_ID_BYTES),
        b"",
        log.event_name or "",
        at_ns,
        at_ns,
        False,  # noqa: FBT003 (a log record has no status)
        "",
        _attributes(log.attributes),
        [],
        bytes(log.body) if _is_there(log.body) else b"",
    )


def _attributes(raws: json_forms.List) -> Attributes:
    if raws is not None and len(raws) > RECORD_ATTRIBUTES_MAX:
        raise too_large("size.too-many-attributes")
    return list(map(bytes, raws or ()))


def _value(text: bytes) -> Value:
    """Read an AnyValue, but for the insides of lists of pairs."""
    with _reading():
        value = _any_value.decode(text)
    if value.string_value is not None or value.bool_value is not None:
        return value.bool_value if value.string_value is None else value.string_value
    if value.int_value is not None:
        return _integer(value.int_value)
    if value.double_value is not None:
        return _double(value.double_value)
    if _is_there(value.array_value):
        return _list(value.array_value)
    rest = bytes(value.kvlist_value) + bytes(value.bytes_value)
    return None if rest.translate(None, _SPACES) in _NOTHING else Unread.STRUCTURE


def _list(raw: Raw) -> Value:
    if len(raw) > LIST_BYTES_MAX:
        return Unread.STRUCTURE
    with _reading():
        items = [_value(bytes(each)) for each in _array_value.decode(raw).values or ()]
    strings = tuple(item for item in items if isinstance(item, str))
    return strings if len(strings) == len(items) else Unread.STRUCTURE


def _double(value: float | str) -> float:
    """Return a number; protobuf's JSON writes those that JSON lacks as strings."""
    if isinstance(value, str) and value not in {"NaN", "Infinity", "-Infinity"}:
        raise malformed()
    return float(value)


def _integer(value: json_forms.Integer) -> int:
    if isinstance(value, str) and not _INTEGER.match(value):
        raise malformed()
    return int(value or 0)


def _id(text: json_forms.Text, size: int) -> bytes:
    """Return an id, empty if it is left out or zero, which is no id; raises Malformed if it is not hexadecimal."""
    if not text:
        return b""
    try:
        found = unhexlify(text)
    except ValueError:
        raise malformed() from None
    if len(found) != size:
        raise malformed()
    return found if any(found) else b""


def _optional(raw: Raw, kind: type[_Read]) -> _Read:
    return _read(raw, kind) if _is_there(raw) else kind()


def _is_there(raw: Raw) -> bool:
    return bytes(raw) not in {b"", b"null"}


def _read(raw: bytes | Raw, kind: type[_Read]) -> _Read:
    """Decode a message; raises Malformed, and Rejected if a member that it lacks has a name of content."""
    with _reading():
        for name in members.of_object(raw, _MEMBERS_MAX).keys() - json_forms.MEMBERS[kind]:
            if rule := rule_of_name(name):
                raise Rejected((Violation(rule, "/*"),))
        return msgspec.json.decode(raw, type=kind)


@contextmanager
def _reading() -> Iterator[None]:
    try:
        yield
    # msgspec quotes the body in its messages.
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise malformed() from None


ENCODING = Encoding(spans, logs, attribute, leaves)
