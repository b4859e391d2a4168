"""Reads export requests in protobuf: https://protobuf.dev/programming-guides/encoding and opentelemetry-proto 1.9.

A library would build all of a body's messages first, and a body of 4 MiB can hold two million.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

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

_VARINT_BYTES_MAX = 10
_FIXED_BYTES = {1: 8, 5: 4}  # By wire type.
_LENGTH, _VARINT = 2, 0  # Wire types. 3 and 4 are groups, which proto3 has not; 6 and 7 do not exist.
_ONE_BYTE = 0x7F
_FIELD_MAX = 2**29 - 1
_NUMBER = -1  # In place of an end: the field is a number.
_VALUES_MAX = 16  # Of an AnyValue, which has one; of several the last counts.
_DEPTH_MAX = 4  # Of a log record's body.
_INT64_SIGN, _INT64_RANGE = 1 << 63, 1 << 64
_NO = 0  # No field has this number.
# Fields, by message.
_OUTER, _INNER = 1, 2  # The resource or scope of a group, and what is in the group.
_SCOPE_NAME, _SCOPE_ATTRIBUTES = 1, 3
_KEY, _VALUE = 1, 2
_STATUS_MESSAGE, _STATUS_CODE, _STATUS_ERROR = 2, 3, 2
_STRING, _BOOL, _INT, _DOUBLE, _LIST, _PAIRS, _BYTES = range(1, 8)  # Of AnyValue.

Field = tuple[int, int, int]  # Its number; start and end of its bytes, or its value and _NUMBER.


class _Numbers(NamedTuple):
    """The numbers of a record's fields."""

    trace_id: int
    span_id: int
    parent_id: int
    name: int
    start: int
    end: int
    attributes: int
    nested: dict[int, int]  # Of events and links: the number of their attributes.
    status: int
    body: int
    known: frozenset[int]


_SPAN = _Numbers(1, 2, 4, 5, 7, 8, 9, {11: 3, 13: 4}, 15, _NO, frozenset({1, 2, 4, 5, 7, 8, 9, 11, 13, 15}))
_LOG = _Numbers(9, 10, _NO, 12, 1, 1, 6, {}, _NO, 5, frozenset({9, 10, 12, 1, 6, 5}))


def spans(body: bytes) -> Parts:
    """Return the parts of an ExportTraceServiceRequest; raises Malformed, Rejected."""
    return _parts(body, _SPAN)


def logs(body: bytes) -> Parts:
    """Return the parts of an ExportLogsServiceRequest; raises Malformed, Rejected."""
    return _parts(body, _LOG)


def attribute(wire: bytes) -> Attribute:
    """Read a KeyValue; raises Malformed."""
    key, value = "", None
    for number, at, end in _fields(wire, 0, len(wire), _VALUES_MAX):
        if number == _KEY:
            key = _text(wire, at, end)
        elif number == _VALUE:
            value = _value(wire, at, end)
    return key, value


def leaves(wire: bytes) -> Iterator[Attribute]:
    """Read an AnyValue to its leaves, each with its path; raises Malformed, Rejected."""
    return _leaves(wire, "", _DEPTH_MAX)


def _leaves(wire: bytes, path: str, depth_left: int) -> Iterator[Attribute]:
    lists = [field for field in _fields(wire, 0, len(wire), _VALUES_MAX) if field[0] == _PAIRS]
    if not lists or not depth_left:
        yield path, _value(wire, 0, len(wire))
        return
    for pair in _attributes(wire, lists[-1], 1):
        key, _ = attribute(pair)
        for field in _inner(pair, 0, len(pair), {_VALUE}, _VALUES_MAX):
            yield from _leaves(pair[field[1] : field[2]], f"{path}.{key}" if path else key, depth_left - 1)


def _parts(wire: bytes, numbers: _Numbers) -> Parts:
    left = PARTS_MAX
    for _, at, end in _inner(wire, 0, len(wire), {_OUTER}):
        groups = _inner(wire, at, end, {_OUTER, _INNER})
        left -= len(groups)
        resources = [group for group in groups if group[0] == _OUTER]
        yield Resource([each for field in resources for each in _attributes(wire, field, 1)])
        for _, first, last in (group for group in groups if group[0] == _INNER):
            fields = _inner(wire, first, last, {_OUTER, _INNER})
            left -= len(fields)
            if left < 0:
                raise too_large("size.too-many-events")
            yield _scope(wire, [field for field in fields if field[0] == _OUTER])
            for number, start, stop in fields:
                if number == _INNER:
                    yield _record(wire, start, stop, numbers)


def _scope(wire: bytes, fields: list[Field]) -> Scope:
    name, attributes = "", []
    for _, at, end in fields:
        for number, start, stop in _inner(wire, at, end, {_SCOPE_NAME, _SCOPE_ATTRIBUTES}, RECORD_ATTRIBUTES_MAX):
            if number == _SCOPE_NAME:
                name = _text(wire, start, stop)
            else:
                attributes.append(wire[start:stop])
    return Scope(name, attributes)


def _record(wire: bytes, at: int, end: int, numbers: _Numbers) -> Record:
    found: dict[int, Field] = {}
    attributes: Attributes = []
    nested: list[Attributes] = []
    left = RECORD_ATTRIBUTES_MAX
    for field in _fields(wire, at, end, 2 * RECORD_ATTRIBUTES_MAX):
        number, start, stop = field
        if number == numbers.attributes:
            attributes.append(_bytes(wire, start, stop))
        elif number in numbers.nested:
            nested.append(_attributes(wire, field, numbers.nested[number]))
            left -= len(nested[-1])
        elif number in numbers.known:
            found[number] = field
    if len(attributes) > left:
        raise too_large("size.too-many-attributes")
    is_error, message = _status(wire, found.get(numbers.status))
    return Record(
        _id(wire, found.get(numbers.trace_id), TRACE_ID_BYTES),
        _id(wire, found.get(numbers.span_id), SPAN_ID_BYTES),
        _id(wire, found.get(numbers.parent_id), SPAN_ID_BYTES),
        _text(wire, *found[numbers.name][1:]) if numbers.name in found else "",
        _number(found.get(numbers.start)),
        _number(found.get(numbers.end)),
        is_error,
        message,
        attributes,
        nested,
        _bytes(wire, *found[numbers.body][1:]) if numbers.body in found else b"",
    )


def _status(wire: bytes, field: Field | None) -> tuple[bool, str]:
    is_error, message = False, ""
    if field is not None:
        for number, at, end in _fields(wire, *_ends(field), _VALUES_MAX):
            if number == _STATUS_MESSAGE:
                message = _text(wire, at, end)
            elif number == _STATUS_CODE:
                is_error = at == _STATUS_ERROR
    return is_error, message


def _attributes(wire: bytes, field: Field, number: int) -> Attributes:
    """Return the KeyValues, with this number, of the message in a field."""
    return [wire[at:end] for _, at, end in _inner(wire, *_ends(field), {number}, RECORD_ATTRIBUTES_MAX)]


def _inner(wire: bytes, at: int, end: int, wanted: set[int], most: int = PARTS_MAX) -> list[Field]:
    """Return the messages with these numbers; raises Malformed if one is a number."""
    found = [field for field in _fields(wire, at, end, most) if field[0] in wanted]
    for field in found:
        _ends(field)
    return found


def _ends(field: Field) -> tuple[int, int]:
    if field[2] == _NUMBER:
        raise malformed()
    return field[1:]


def _fields(wire: bytes, at: int, end: int, most: int) -> list[Field]:
    """Return the fields of a message; raises Malformed, and Rejected if there are more than so many."""
    found: list[Field] = []
    try:
        while at < end:
            tag, at = (wire[at], at + 1) if wire[at] <= _ONE_BYTE else _varint(wire, at)
            kind, number = tag & 7, tag >> 3
            if kind == _LENGTH:
                size, at = (wire[at], at + 1) if wire[at] <= _ONE_BYTE else _varint(wire, at)
                found.append((number, at, at + size))
                at += size
            elif kind == _VARINT:
                value, at = _varint(wire, at)
                found.append((number, value, _NUMBER))
            else:
                size = _FIXED_BYTES[kind]
                found.append((number, int.from_bytes(wire[at : at + size], "little"), _NUMBER))
                at += size
            if len(found) > most:
                raise too_large("size.too-many-attributes")
    except LookupError:  # No such wire type, or no more bytes.
        raise malformed() from None
    if at != end or not all(0 < number <= _FIELD_MAX for number, _, _ in found):
        raise malformed()
    return found


def _varint(wire: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place in range(_VARINT_BYTES_MAX):
        byte = wire[at + place]
        value |= (byte & _ONE_BYTE) << 7 * place
        if byte <= _ONE_BYTE and value < _INT64_RANGE:
            return value, at + place + 1
    raise malformed()


def _value(wire: bytes, at: int, end: int) -> Value:
    """Read an AnyValue, but for the insides of lists of pairs."""
    value: Value = None
    for number, start, stop in _fields(wire, *_ends((_VALUE, at, end)), _VALUES_MAX):
        if number == _STRING:
            value = _text(wire, start, stop)
        elif number in {_BOOL, _INT, _DOUBLE}:
            value = _scalar(number, start, stop)
        elif number == _LIST:
            value = _list(wire, *_ends((number, start, stop)))
        elif number in {_PAIRS, _BYTES}:
            value = Unread.STRUCTURE if _bytes(wire, start, stop) else None
    return value


def _scalar(number: int, bits: int, end: int) -> bool | int | float:
    if end != _NUMBER:
        raise malformed()
    if number == _BOOL:
        return bool(bits)
    if number == _INT:
        return bits - _INT64_RANGE if bits & _INT64_SIGN else bits
    value: float = struct.unpack("<d", struct.pack("<Q", bits))[0]
    return value


def _list(wire: bytes, at: int, end: int) -> Value:
    if end - at > LIST_BYTES_MAX:
        return Unread.STRUCTURE
    items = [_value(wire, *_ends(field)) for field in _fields(wire, at, end, LIST_BYTES_MAX) if field[0] == 1]
    strings = tuple(item for item in items if isinstance(item, str))
    return strings if len(strings) == len(items) else Unread.STRUCTURE


def _bytes(wire: bytes, at: int, end: int) -> bytes:
    if end == _NUMBER:
        raise malformed()
    return wire[at:end]


def _text(wire: bytes, at: int, end: int) -> str:
    try:
        return _bytes(wire, at, end).decode()
    except UnicodeDecodeError:
        raise malformed() from None


def _id(wire: bytes, field: Field | None, size: int) -> bytes:
    """Return an id, empty if it is left out or zero, which is no id; raises Malformed if it has another length."""
    found = _bytes(wire, *field[1:]) if field is not None else b""
    if len(found) not in {0, size}:
        raise malformed()
    return found if any(found) else b""


def _number(field: Field | None) -> int:
    if field is None:
        return 0
    if field[2] != _NUMBER:
        raise malformed()
    return field[1]


ENCODING = Encoding(spans, logs, attribute, leaves)
