"""The same events as OpenTelemetry spans, for Phoenix: just enough of protobuf to write an export request."""

import os
from collections.abc import Mapping, Sequence

_VARINT, _FIXED64, _LENGTH = 0, 1, 2  # Wire types (protobuf.dev, "Encoding").
_NS_PER_MS = 1_000_000


def export_request(events: Sequence[Mapping[str, object]], ends_at_ns: int) -> bytes:
    """Return an ExportTraceServiceRequest (opentelemetry-proto 1) with one span per event, each in its own trace."""
    scope_spans = b"".join(_field(2, _span(event, ends_at_ns)) for event in events)
    return _field(1, _field(2, scope_spans))


def _span(event: Mapping[str, object], ends_at_ns: int) -> bytes:
    latency_ms = event["latency_ms"]
    assert isinstance(latency_ms, int)
    return b"".join(
        (
            _field(1, os.urandom(16)),  # trace_id
            _field(2, os.urandom(8)),  # span_id
            _field(5, b"chat"),  # name
            _tag(6, _VARINT) + _varint(3),  # kind: CLIENT
            _tag(7, _FIXED64) + (ends_at_ns - latency_ms * _NS_PER_MS).to_bytes(8, "little"),
            _tag(8, _FIXED64) + ends_at_ns.to_bytes(8, "little"),
            *(_field(9, _attribute(name, value)) for name, value in _attributes(event)),
        )
    )


def _attributes(event: Mapping[str, object]) -> Sequence[tuple[str, object]]:
    """Return the attributes, with OpenInference's names where they exist."""
    tags = event["tags"]
    assert isinstance(tags, dict)
    own = {name: value for name, value in event.items() if name not in {"event_id", "tags"} and value is not None}
    return (
        ("openinference.span.kind", "LLM"),
        ("llm.model_name", event["routed_model"]),
        ("llm.provider", event["provider"]),
        ("llm.token_count.prompt", event["input_tokens"]),
        ("llm.token_count.completion", event["output_tokens"]),
        *((f"router.{name}", value) for name, value in own.items()),
        *((f"tag.{name}", value) for name, value in tags.items()),
    )


def _attribute(name: str, value: object) -> bytes:
    if isinstance(value, bool):
        any_value = _tag(2, _VARINT) + _varint(int(value))
    elif isinstance(value, int):
        any_value = _tag(3, _VARINT) + _varint(value)
    else:
        any_value = _field(1, str(value).encode())
    return _field(1, name.encode()) + _field(2, any_value)


def _field(number: int, content: bytes) -> bytes:
    return _tag(number, _LENGTH) + _varint(len(content)) + content


def _tag(number: int, wire_type: int) -> bytes:
    return _varint(number << 3 | wire_type)


def _varint(number: int) -> bytes:
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    parts.append(number)
    return bytes(parts)
