"""The messages of OTLP in JSON, as msgspec decodes them; what is nested in one stays raw until it is its turn."""

from collections.abc import Mapping

from msgspec import Raw, Struct

List = list[Raw] | None  # protobuf's JSON reads null as a field that is left out.
Integer = int | str | None
Text = str | None


class Request(Struct, rename="camel"):
    resource_spans: List = None
    resource_logs: List = None


class Resource(Struct):
    attributes: List = None


class Group(Struct, rename="camel"):
    resource: Raw = Raw()
    scope_spans: List = None
    scope_logs: List = None


class Scope(Struct):
    name: Text = None
    attributes: List = None


class ScopeGroup(Struct, rename="camel"):
    scope: Raw = Raw()
    spans: List = None
    log_records: List = None


class Status(Struct):
    code: int | None = None
    message: Text = None


class Span(Struct, rename="camel"):
    trace_id: Text = None
    span_id: Text = None
    parent_span_id: Text = None
    name: Text = None
    start_time_unix_nano: Integer = None
    end_time_unix_nano: Integer = None
    attributes: List = None
    events: List = None
    links: List = None
    status: Raw = Raw()


class Log(Struct, rename="camel"):
    trace_id: Text = None
    span_id: Text = None
    event_name: Text = None
    time_unix_nano: Integer = None
    attributes: List = None
    body: Raw = Raw()


class Nested(Struct):
    attributes: List = None


class ArrayValue(Struct):
    values: List = None


class PairsValue(Struct):
    values: list["KeyValue"] | None = None


class AnyValue(Struct, rename="camel"):
    string_value: Text = None
    bool_value: bool | None = None
    int_value: Integer = None
    double_value: float | str | None = None
    array_value: Raw = Raw()
    kvlist_value: Raw = Raw()
    bytes_value: Raw = Raw()


class KeyValue(Struct):
    key: str = ""
    value: Raw = Raw()


# The members of each message of opentelemetry-proto 1.9; any other name is ignored, unless it is one of content.
MEMBERS: Mapping[type[Struct], frozenset[str]] = {
    Request: frozenset({"resourceSpans", "resourceLogs"}),
    Group: frozenset({"resource", "scopeSpans", "scopeLogs", "schemaUrl"}),
    Resource: frozenset({"attributes", "droppedAttributesCount", "entityRefs"}),
    ScopeGroup: frozenset({"scope", "spans", "logRecords", "schemaUrl"}),
    Scope: frozenset({"name", "version", "attributes", "droppedAttributesCount"}),
    Span: frozenset(
        "traceId spanId traceState parentSpanId flags name kind startTimeUnixNano endTimeUnixNano attributes "
        "droppedAttributesCount events droppedEventsCount links droppedLinksCount status".split()
    ),
    Log: frozenset(
        "timeUnixNano observedTimeUnixNano severityNumber severityText body attributes droppedAttributesCount flags "
        "traceId spanId eventName".split()
    ),
    Nested: frozenset("timeUnixNano name attributes droppedAttributesCount traceId spanId traceState flags".split()),
    Status: frozenset({"code", "message"}),
}
