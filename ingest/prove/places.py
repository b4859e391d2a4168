"""Every place in a body where a string can stand, with a function that makes the body."""

from collections.abc import Callable, Mapping

from ingest.prove.kit import Kit

Put = Callable[[Kit, object], bytes]
TERMS = ("task_category", "provider", "requested_model", "routed_model")
_STRINGS = (*TERMS, "event_id", "status", "stop_reason")
_OTHERS = ("input_tokens", "cost_nanousd", "baseline_cost_nanousd", "ttft_ms", "http_status", "streamed", "tags")


def in_field(field: str) -> Put:
    """Return a function that puts a value into a field."""
    return lambda kit, value: kit.body({field: value})


def in_tag(kit: Kit, value: object) -> bytes:
    return kit.body(kit.tag(value))


def as_tag_key(kit: Kit, value: object) -> bytes:
    return kit.body({"tags": {str(value): "x"}})


def beside_tags(kit: Kit, value: object) -> bytes:
    return kit.body({"tags": {**kit.tags, "note": value}})


def in_last_event(kit: Kit, value: object) -> bytes:
    return kit.batch([kit.event(), kit.event(), kit.event({"requested_model": value})])


def in_stream_id(kit: Kit, value: object) -> bytes:
    return kit.body(envelope={"stream": {"id": value, "sequence": 0}})


def in_sequence(kit: Kit, value: object) -> bytes:
    return kit.body(envelope={"stream": {"id": kit.uuid7(), "sequence": value}})


# A value in a place that the contract has.
VALUES: Mapping[str, Put] = {
    **{f"in {field}": in_field(field) for field in (*_STRINGS, *_OTHERS)},
    "in a tag": in_tag,
    "in the last event": in_last_event,
    "in the stream's id": in_stream_id,
    "in the sequence": in_sequence,
    "in dropped": lambda kit, value: kit.body(envelope={"dropped": {"queue_full": value}}),
    "for the stream": lambda kit, value: kit.body(envelope={"stream": value}),
    "for the events": lambda kit, value: kit.batch([], {"dropped": {"queue_full": 1}})[:-3] + _json(kit, value) + b"}",
    "for an event": lambda kit, value: kit.batch([kit.event(), value]),
}

# A string in place of a name of the contract, or under a name that the contract does not have.
NAMES: Mapping[str, Put] = {
    "as a tag key": as_tag_key,
    "under an undeclared tag key": beside_tags,
    "as a field's name": lambda kit, value: kit.body({str(value): 1}),
    "under a new field": lambda kit, value: kit.body({"note": value}),
    "as a name beside the events": lambda kit, value: kit.body(envelope={str(value): 1}),
    "under a name beside the events": lambda kit, value: kit.body(envelope={"note": value}),
    "as a name in the stream": lambda kit, value: kit.body(envelope={"stream": {**kit.stream(), str(value): 1}}),
    "as a reason of dropped": lambda kit, value: kit.body(envelope={"dropped": {str(value): 1}}),
    "deep below a new field": lambda kit, value: kit.body({"note": {"a": [{"b": {"c": [value]}}]}}),
}
ALL: Mapping[str, Put] = {**VALUES, **NAMES}
# Where the value is a term.
FIELDS: Mapping[str, Put] = {**{field: in_field(field) for field in TERMS}, "a tag": in_tag}
FIELDS_AND_KEYS: Mapping[str, Put] = {**FIELDS, "a tag key": as_tag_key}


def _json(kit: Kit, value: object) -> bytes:
    return kit.batch([value])[len(b'{"events":[') : -len(b"]}")]
