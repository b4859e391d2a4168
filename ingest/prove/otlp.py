"""Encodes export requests of OTLP, described in OTLP's JSON, in both encodings."""

import json
import struct
from collections.abc import Callable, Mapping
from typing import NamedTuple

from ingest.prove.kit import Json

PROTOBUF, JSON = b"application/x-protobuf", b"application/json"
_VARINT, _FIXED64, _LENGTH = 0, 1, 2  # Wire types.


class _Field(NamedTuple):
    """A field's number, and its kind: `text`, `id`, `time`, `number`, `double`, `bytes`, or a message's name."""

    number: int
    kind: str


def _message(**fields: tuple[int, str]) -> Mapping[str, _Field]:
    return {name: _Field(*field) for name, field in fields.items()}


_MESSAGES: Mapping[str, Mapping[str, _Field]] = {
    "request": _message(resourceSpans=(1, "group"), resourceLogs=(1, "group")),
    "group": _message(
        resource=(1, "resource"), scopeSpans=(2, "scoped"), scopeLogs=(2, "scoped"), schemaUrl=(3, "text")
    ),
    "resource": _message(attributes=(1, "pair")),
    "scoped": _message(scope=(1, "scope"), spans=(2, "span"), logRecords=(2, "log"), schemaUrl=(3, "text")),
    "scope": _message(name=(1, "text"), version=(2, "text"), attributes=(3, "pair")),
    "span": _message(
        traceId=(1, "id"), spanId=(2, "id"), traceState=(3, "text"), parentSpanId=(4, "id"), name=(5, "text"),
        kind=(6, "number"), startTimeUnixNano=(7, "time"), endTimeUnixNano=(8, "time"), attributes=(9, "pair"),
        events=(11, "event"), links=(13, "link"), status=(15, "status"), unknown=(1_000, "text"),
    ),
    "event": _message(timeUnixNano=(1, "time"), name=(2, "text"), attributes=(3, "pair")),
    "link": _message(traceId=(1, "id"), spanId=(2, "id"), traceState=(3, "text"), attributes=(4, "pair")),
    "status": _message(message=(2, "text"), code=(3, "number")),
    "log": _message(
        timeUnixNano=(1, "time"), severityText=(3, "text"), body=(5, "value"), attributes=(6, "pair"),
        eventName=(12, "text"), unknown=(1_000, "text"),
    ),
    "pair": _message(key=(1, "text"), value=(2, "value")),
    "value": _message(
        stringValue=(1, "text"), boolValue=(2, "number"), intValue=(3, "number"), doubleValue=(4, "double"),
        arrayValue=(5, "list"), kvlistValue=(6, "pairs"), bytesValue=(7, "text"),
    ),
    "list": _message(values=(1, "value")),
    "pairs": _message(values=(1, "pair")),
}  # fmt: skip
_PLAIN: Mapping[str, tuple[int, Callable[[str], bytes]]] = {
    "text": (_LENGTH, str.encode),
    "id": (_LENGTH, bytes.fromhex),
    "time": (_FIXED64, lambda text: struct.pack("<Q", int(text))),
    "double": (_FIXED64, lambda text: struct.pack("<d", float(text))),
    "number": (_VARINT, lambda text: _varint(int(text))),
}


def encoded(media_type: bytes, request: Json) -> bytes:
    """Encode a request; `unknown` is a field that OTLP does not have."""
    return json.dumps(request).encode() if media_type == JSON else _encoded("request", request)


def attributes(values: Mapping[str, object]) -> list[Json]:
    return [{"key": key, "value": value(each)} for key, each in values.items()]


def value(of: object) -> Json:
    """Return a value as OTLP's JSON has it."""
    match of:
        case str():
            return {"stringValue": of}
        case bool():
            return {"boolValue": of}
        case int():
            return {"intValue": of}
        case float():
            return {"doubleValue": of}
        case Mapping():
            return {"kvlistValue": {"values": attributes(of)}}
    return {"arrayValue": {"values": list(map(value, of))}} if isinstance(of, list) else {}


def _encoded(kind: str, document: object) -> bytes:
    assert isinstance(document, Mapping)
    whole = b""
    for name, each in document.items():
        number, inner = _MESSAGES[kind][name]
        for one in each if isinstance(each, list) else [each]:
            whole += _field(number, inner, one)
    return whole


def _field(number: int, kind: str, one: object) -> bytes:
    if kind in _PLAIN:
        wire_type, write = _PLAIN[kind]
        content = write(str(int(one) if isinstance(one, bool) else one))
    else:
        wire_type, content = _LENGTH, _encoded(kind, one)
    length = _varint(len(content)) if wire_type == _LENGTH else b""
    return _varint(number << 3 | wire_type) + length + content


def _varint(number: int) -> bytes:
    written = bytearray()
    while number > 0x7F:  # noqa: PLR2004 (seven bits in a byte)
        written.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*written, number])
