"""Values of a type that the contract does not allow, in every field."""

from collections.abc import Iterator

from ingest.prove.case import Case, refused, refused_beside
from ingest.prove.kit import Json, Kit
from ingest.prove.words import SENTENCES


def wrong_types(kit: Kit) -> Iterator[Case]:
    for where, field, envelope in _fields(kit):
        for what, of in _VALUES.items():
            canary = kit.canary()
            body = _body(kit, field, envelope, of.replace("@", canary))
            yield refused(f"{what} for {where}", canary, body)


# JSON values that are wrong in every field; `@` is the canary.
_VALUES = {
    "a string": '"@"',
    "a sentence": f'"{SENTENCES[1].format("@")}"',
    "a list": '["@"]',
    "a list of lists": '[["@"],["@"]]',
    "an object": '{"text":"@"}',
    "an object with the name": '{"@":1}',
    "an object in an object": '{"a":{"b":{"c":"@"}}}',
    "a number and a word": '"812 @"',
    "a word and a number": '"@812"',
    "a list of letters": '["q","@"]',
    "a word without quotes": "@",
    "a word in single quotes": "'@'",
    "a number with a comment": "812/*@*/",
    "a number with a line comment": "812//@\n",
    "a name in brackets": "[@]",
    "null and a word": 'null,"@":null',
    "NaN and a word": 'NaN,"@":1',
}


def hostile_numbers(kit: Kit) -> Iterator[Case]:
    """Yield numbers that hold text or that JSON readers misread; the canary is also in a header."""
    for where, field, envelope in _fields(kit):
        if field in _NOT_NUMBERS:
            continue
        for what, of in _NUMBERS.items():
            canary = kit.canary()
            number = of.replace("@", str(int.from_bytes(canary.encode(), "big")))
            yield refused_beside(f"{what} for {where}", canary, _body(kit, field, envelope, number))
        over = kit.policy.bounds[_BOUNDS.get(field, "dropped_max")] + 1
        yield refused_beside(f"one too many for {where}", kit.canary(), _body(kit, field, envelope, str(over)))


_BOUNDS = {
    "input_tokens": "input_tokens_max",
    "cache_read_tokens": "input_tokens_max",
    "cache_write_5m_tokens": "input_tokens_max",
    "cache_write_1h_tokens": "input_tokens_max",
    "output_tokens": "output_tokens_max",
    "reasoning_tokens": "output_tokens_max",
    "cost_nanousd": "cost_nanousd_max",
    "baseline_cost_nanousd": "cost_nanousd_max",
    "latency_ms": "latency_ms_max",
    "ttft_ms": "latency_ms_max",
    "sequence": "sequence_max",
}
_NOT_NUMBERS = frozenset(
    "event_id task_category provider requested_model routed_model status stop_reason tags id stream dropped events"
    " streamed cached fallback retried escalated".split()
)
_NUMBERS = {  # `@` is the canary's bytes as a number.
    "all digits": "@",
    "negative digits": "-@",
    "minus one": "-1",
    "digits in a fraction": "0.@",
    "a fraction": "812.5",
    "an exponent": "8e2",
    "a huge exponent": "1e400",
    "a small exponent": "1e-400",
    "a leading zero": "0812",
    "a plus sign": "+812",
    "hex": "0x32c",
    "minus zero with a fraction": "-0.0",
    "Infinity": "Infinity",
    "NaN": "NaN",
    "2 to the 64th": str(2**64),
    "5,000 digits": "9" * 5_000,
    "true": "true",
    "a string of digits": '"812"',
}


def _body(kit: Kit, field: str, envelope: Json, written: str) -> bytes:
    """Return a body with a value written in place of the "@" of the envelope or, without one, of an event's field."""
    return kit.body({} if envelope else {field: "@"}, envelope).replace(b'"@"', written.encode())


def _fields(kit: Kit) -> Iterator[tuple[str, str, Json]]:
    for field in kit.policy.fields:
        yield field, field, {}
    stream = kit.stream()
    for name in stream:
        yield f"the stream's {name}", name, {"stream": {**stream, name: "@"}}
    for reason in kit.policy.drop_reasons:
        yield f"dropped {reason}", reason, {"dropped": {reason: "@"}}
    yield "the stream", "stream", {"stream": "@"}
    yield "dropped", "dropped", {"dropped": "@"}
