"""Good batches that must be stored: every bound, enum and null, and every way to write and compress them."""

import gzip
import json
from collections.abc import Callable, Iterator
from typing import get_args

import zstandard

from ingest.prove.case import Case, Expected, Headers, Request
from ingest.prove.kit import Json, Kit, text
from schema import event

_NULLABLE = ("baseline_cost_nanousd", "ttft_ms", "http_status", "stop_reason")
_MODELS_MAX = 400  # An even sample of the policy's model ids.
_DAY_MS = 86_400_000


def accepted_values(kit: Kit) -> Iterator[Case]:
    for what, changed in _values(kit):
        yield _good(kit, what, kit.body(changed))
    for first in _NULLABLE:
        for second in _NULLABLE:
            yield _good(kit, f"null for {first} and {second}", kit.body({first: None, second: None}))
    for what, at_ms in {
        "now": kit.now_ms,
        "a minute ahead": kit.now_ms + 60_000,
        "a day old": kit.now_ms - _DAY_MS,
        "as old as retention allows": kit.now_ms - kit.policy.retention_days * _DAY_MS + 3_600_000,
    }.items():
        yield _good(kit, what, kit.body({"event_id": kit.uuid7(at_ms)}))
    for what, envelope in _losses(kit):
        yield _good(kit, what, text({"stream": kit.stream(), **envelope}), 0)
    yield _good(kit, "an id in capitals", kit.body({"event_id": kit.uuid7().upper()}))


def _values(kit: Kit) -> Iterator[tuple[str, Json]]:
    for status in get_args(event.Status):
        yield f"status {status}", {"status": status}
    for reason in get_args(event.StopReason):
        yield f"stop reason {reason}", {"stop_reason": reason}
    for code in range(kit.policy.bounds["http_status_min"], kit.policy.bounds["http_status_max"] + 1):
        yield f"HTTP status {code}", {"http_status": code}
    for flag in _flags(kit):
        yield f"{flag}", {flag: True}
    bounds = kit.policy.bounds
    for field in ("input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens"):
        yield f"most {field}", {field: bounds["input_tokens_max"]}
    most = bounds["output_tokens_max"]
    for field in ("cost_nanousd", "baseline_cost_nanousd"):
        yield f"most {field}", {field: bounds["cost_nanousd_max"]}
    yield "most output_tokens", {"output_tokens": most}
    yield "only reasoning", {"output_tokens": most, "reasoning_tokens": most}
    yield "most latency_ms", {"latency_ms": bounds["latency_ms_max"], "ttft_ms": bounds["latency_ms_max"]}
    for time_ms in (999, 1_000, 1_005, 99_950, 86_400_001, 604_799_999):
        yield f"{time_ms} ms", {"latency_ms": time_ms, "ttft_ms": time_ms - 1}
    yield "nothing", dict.fromkeys(_numbers(kit), 0)
    yield "no tags", {"tags": {}}


def _losses(kit: Kit) -> Iterator[tuple[str, Json]]:
    """Yield the envelopes of batches that only report losses."""
    for reason in kit.policy.drop_reasons:
        yield f"losses alone, {reason}", {"dropped": {reason: kit.policy.bounds["dropped_max"]}}
    yield "losses alone, none", {"dropped": dict.fromkeys(kit.policy.drop_reasons, 0)}
    yield "losses alone, an empty list", {"dropped": {kit.policy.drop_reasons[0]: 1}, "events": []}


def _flags(kit: Kit) -> list[str]:
    return [name for name, value in kit.event().items() if type(value) is bool]


def _numbers(kit: Kit) -> list[str]:
    return [name for name, value in kit.event().items() if type(value) is int and name != "http_status"]


def accepted_terms(kit: Kit) -> Iterator[Case]:
    terms = kit.policy.terms
    for category in terms["task_category"]:
        yield _good(kit, f"task category {category}", kit.body({"task_category": category}))
    for provider in terms["provider"]:
        yield _good(kit, f"provider {provider}", kit.body({"provider": provider}))
    models = terms["model"]
    step = max(1, len(models) // _MODELS_MAX)
    for model in models[::step]:
        yield _good(kit, f"model {model}", kit.body({"requested_model": model, "routed_model": model}))
    for place, (key, values) in enumerate(kit.policy.tags.items()):
        for number, value in enumerate(values[:_MODELS_MAX]):
            yield _good(kit, f"tag {number} of key {place}", kit.body({"tags": {key: value}}))
    several = {key: values[-1] for key, values in list(kit.policy.tags.items())[: kit.policy.bounds["tags_max"]]}
    yield _good(kit, "as many tags as there may be", kit.body({"tags": several}))


def accepted_forms(kit: Kit) -> Iterator[Case]:
    """Yield one batch, written in other ways that are the same JSON."""
    for number, write in enumerate(_WRITERS):
        for coding, (encode, headers) in _CODINGS.items():
            for events in (1, 2, 20):
                batch = {"events": [_shuffled(kit, kit.event()) for _ in range(events)], **_envelope(kit, number)}
                body = encode(write(_shuffled(kit, batch)).encode())
                yield _good(kit, f"writing {number}, {coding}, {events} events", body, events, headers)
    most = kit.policy.bounds["events_max"]
    yield _good(kit, "as many events as there may be", kit.batch([kit.event() for _ in range(most)]), most)


def _envelope(kit: Kit, number: int) -> Json:
    if number % 3 == 0:
        return {}
    if number % 3 == 1:
        return {"stream": kit.stream(number)}
    return {"stream": kit.stream(2**53 - 1), "dropped": dict.fromkeys(kit.policy.drop_reasons[:number], number)}


def _shuffled(kit: Kit, names: Json) -> Json:
    pairs = list(names.items())
    kit.random.shuffle(pairs)
    return dict(pairs)


_WRITERS: tuple[Callable[[Json], str], ...] = (
    lambda batch: json.dumps(batch, separators=(",", ":")),
    json.dumps,
    lambda batch: json.dumps(batch, indent=2),
    lambda batch: json.dumps(batch, indent="\t"),
    lambda batch: json.dumps(batch, indent=1).replace("\n", "\r\n"),
    lambda batch: "\n\n " + json.dumps(batch, separators=(" , ", " : ")) + " \r\n\t",
    lambda batch: json.dumps(batch, sort_keys=True),
)


def _gzip(body: bytes) -> bytes:
    return gzip.compress(body, mtime=0)


def _parts(body: bytes, compress: Callable[[bytes], bytes]) -> bytes:
    return compress(body[:100]) + compress(body[100:])


_CODINGS: dict[str, tuple[Callable[[bytes], bytes], Headers]] = {
    "plain": (bytes, ()),
    "with a charset": (bytes, ((b"Content-Type", b"application/json; charset=utf-8"),)),
    "gzip": (_gzip, ((b"Content-Encoding", b"gzip"),)),
    "quick gzip": (lambda body: gzip.compress(body, 1, mtime=0), ((b"Content-Encoding", b"gzip"),)),
    "two members of gzip": (lambda body: _parts(body, _gzip), ((b"Content-Encoding", b"x-gzip"),)),
    "padded gzip": (lambda body: _gzip(body) + bytes(512), ((b"Content-Encoding", b"GZIP"),)),
    "zstd": (zstandard.compress, ((b"Content-Encoding", b"zstd"),)),
    "two frames of zstd": (lambda body: _parts(body, zstandard.compress), ((b"Content-Encoding", b"zstd"),)),
    "zstd behind a skippable frame": (
        lambda body: b"\x50\x2a\x4d\x18\x04\0\0\0note" + zstandard.compress(body), ((b"Content-Encoding", b"zstd"),)
    ),
    "with an ASCII charset": (bytes, ((b"Content-Type", b'application/json; charset="us-ascii";'),)),
    "with a Latin charset": (bytes, ((b"Content-Type", b"Application/JSON;charset=ISO-8859-1"),)),
    "small zstd": (lambda body: zstandard.compress(body, 19), ((b"Content-Encoding", b"zstd"),)),
}  # fmt: skip


def _good(kit: Kit, what: str, body: bytes, events: int = 1, headers: Headers = ()) -> Case:
    return Case(what, kit.canary(), Request(body, headers), Expected.ACCEPTED, events)
