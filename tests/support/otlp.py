"""Export requests of OTLP in both encodings, made by opentelemetry-proto from one description in OTLP's JSON."""

import base64
import json
import math
import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Literal

from google.protobuf.json_format import Parse
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from ingest.intake import projection
from tests.support import sample
from tests.support.wire import Answer, Sender

Json = dict[str, object]
Encoding = Literal["protobuf", "json"]
ENCODINGS: tuple[Encoding, ...] = ("protobuf", "json")
MEDIA_TYPES: Mapping[Encoding, str] = {"protobuf": "application/x-protobuf", "json": "application/json"}
_PLAIN: Mapping[type, str] = {str: "string", bool: "bool", float: "double"}
_IDS = re.compile(r'"(traceId|spanId|parentSpanId)": "([0-9a-f]*)"')
GOOD: Mapping[str, object] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "anthropic",
    "gen_ai.request.model": "claude-opus-4-5",
    "gen_ai.response.model": "claude-haiku-4-5",
    "gen_ai.usage.input_tokens": 25,
    "gen_ai.usage.output_tokens": 42,
}


def attributes(values: Mapping[str, object]) -> list[Json]:
    return [{"key": key, "value": any_value(value)} for key, value in values.items()]


def any_value(value: object) -> Json:
    """Return a value as OTLP's JSON has it; None is a value that is not set."""
    match value:
        case float() if not math.isfinite(value):
            return {"doubleValue": str(value).replace("nan", "NaN").replace("inf", "Infinity")}
        case str() | bool() | float():
            return {f"{_PLAIN[type(value)]}Value": value}
        case int():
            return {"intValue": str(value)}
        case bytes():
            return {"bytesValue": base64.b64encode(value).decode()}
        case Mapping():
            return {"kvlistValue": {"values": attributes(value)}}
    return {"arrayValue": {"values": list(map(any_value, value))}} if isinstance(value, Sequence) else {}


def span(
    values: Mapping[str, object] = {}, *, start_ms: int | None = None, took_ms: int = 840, **fields: object
) -> Json:
    """Return a span of a good call, with attributes changed (None: left out) and fields added."""
    start_ms = sample.now_ms() - 1_000 if start_ms is None else start_ms
    wanted = {key: value for key, value in {**GOOD, **values}.items() if value is not None}
    return {
        "traceId": secrets.token_hex(16),
        "spanId": secrets.token_hex(8),
        "name": "chat claude-opus-4-5",
        "kind": 3,
        "startTimeUnixNano": str(start_ms * 1_000_000),
        "endTimeUnixNano": str((start_ms + took_ms) * 1_000_000),
        "attributes": attributes(wanted),
        "status": {},
        **fields,
    }


def log(event: str, values: Mapping[str, object], **fields: object) -> Json:
    """Return a log record of an event."""
    at_ns = str(sample.now_ms() * 1_000_000)
    return {"timeUnixNano": at_ns, "eventName": event, "attributes": attributes(values), **fields}


def traces(*spans: Json, resource: Mapping[str, object] = {}, scope: Json | None = None) -> Json:
    group = {"scope": scope or {"name": "test"}, "spans": list(spans)}
    return {"resourceSpans": [{"resource": {"attributes": attributes(resource)}, "scopeSpans": [group]}]}


def logs(*records: Json, resource: Mapping[str, object] = {}, scope: Json | None = None) -> Json:
    group = {"scope": scope or {"name": "test"}, "logRecords": list(records)}
    return {"resourceLogs": [{"resource": {"attributes": attributes(resource)}, "scopeLogs": [group]}]}


def encoded(request: Json, encoding: Encoding) -> bytes:
    """Encode a request, which may have no member that opentelemetry-proto lacks if the encoding is protobuf."""
    if encoding == "json":
        return json.dumps(request).encode()
    kind = ExportLogsServiceRequest if "resourceLogs" in request else ExportTraceServiceRequest
    message = kind()
    Parse(_IDS.sub(_in_base64, json.dumps(request)), message)
    return message.SerializeToString()


def _in_base64(member: re.Match[str]) -> str:
    """Return an id as protobuf's own JSON has it."""
    return f'"{member[1]}": "{base64.b64encode(bytes.fromhex(member[2])).decode()}"'


def export(sender: Sender, request: Json, encoding: Encoding = "protobuf") -> Answer:
    """Send a request to the path for its kind."""
    path = "/v1/logs" if "resourceLogs" in request else "/v1/traces"
    return sender.post(encoded(request, encoding), {"Content-Type": MEDIA_TYPES[encoding]}, path)


def unique() -> str:
    """Return an id that no other request has."""
    return secrets.token_hex(8)


def event_id(sent: Json) -> str:
    """Return the id of the event of a span with the id of an answer."""
    values = {each["key"]: each["value"] for each in sent["attributes"]}  # type: ignore[attr-defined]  # Made by `span`.
    start_ms = int(str(sent["startTimeUnixNano"])) // 1_000_000
    return projection.event_id(start_ms, values["gen_ai.response.id"]["stringValue"])
