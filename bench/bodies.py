"""Requests, encoded before the clock starts: head, body, and number of events."""

import itertools
import random
import secrets
import time
import zlib
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import zstandard
from msgspec import Struct

from bench import spans
from bench.scenario import Coding, Scenario
from bench.workload import SENDERS, Clock, Ids, Template, events, recurring
from schema.ids import uuid7

POOL_EVENTS = 8_000  # Distinct events, from which batches are made.
TEMPLATES_MIN, TEMPLATES_MAX = 4, 64
ANSWERED_AFTER = 48  # After this many requests the first is answered, so that repeating it is a replay.
REMEMBERED = 512
_GZIP = 16 + zlib.MAX_WBITS
_LEVEL = 1


class Request(NamedTuple):
    """An encoded request."""

    head: bytes
    body: bytes
    events: int


class Plan(Struct, kw_only=True):
    """The load of one client process, and its target."""

    scenario: Scenario
    port: int
    tokens: list[str]
    tags: Mapping[str, Sequence[str]]
    requests: int
    seconds: float
    warm_requests: int
    warm_events: int  # In each warm-up request.
    warm_seconds: float


class _Envelope:
    """The senders' streams: at least one per tenant, each numbering its batches."""

    def __init__(self, plan: Plan) -> None:
        lanes = -(-SENDERS // len(plan.tokens)) * len(plan.tokens)
        now_ms = time.time_ns() // 1_000_000
        self._streams = [str(uuid7(now_ms, secrets.randbits(80))) for _ in range(lanes)]
        self._heads = [_head(token, plan.scenario.coding) for token in plan.tokens]
        self._count = itertools.count()

    def wrap(self, member: bytes, coding: Coding, count: int) -> Request:
        number = next(self._count)
        sequence, lane = divmod(number, len(self._streams))
        start = b'{"stream":{"id":"%s","sequence":%d},' % (self._streams[lane].encode(), sequence)
        head = self._heads[lane % len(self._heads)]
        if coding == "identity":
            size = len(start) + len(member) + 1
            return Request(b"%s%d\r\n\r\n%s" % (head, size, start), member + b"}", count)
        body = coded(start + member + b"}", coding)
        return Request(b"%s%d\r\n\r\n" % (head, len(body)), body, count)


def requests(plan: Plan) -> Iterator[Request]:
    """Yield a plan's requests, those of the warm-up first."""
    if plan.scenario.system == "phoenix":
        return _span_requests(plan)
    return _event_requests(plan)


def _event_requests(plan: Plan) -> Iterator[Request]:
    scenario = plan.scenario
    total = plan.warm_requests + plan.requests
    size = scenario.batch_events
    count = min(TEMPLATES_MAX, max(TEMPLATES_MIN, POOL_EVENTS // size))
    pool = recurring(events(count * size, 1, plan.tags), scenario.cells)
    batches = [pool[start : start + size] for start in range(0, len(pool), size)]
    templates = [Template(batch, scenario.spelling) for batch in batches]
    warm_templates = [Template(batch[: plan.warm_events], scenario.spelling) for batch in batches]
    refused = [Template(_spoilt(batch, place)) for place, batch in enumerate(batches)] if scenario.refused else []
    envelope = _Envelope(plan)
    clock = Clock(scenario.order, total * size, time.time_ns() // 1_000_000)
    dice = random.Random(secrets.randbits(64))
    sent: deque[Request] = deque(maxlen=REMEMBERED)
    stamped: deque[tuple[Template, Ids]] = deque(maxlen=REMEMBERED)
    for number in range(plan.warm_requests):
        warm = warm_templates[number % len(templates)]
        yield envelope.wrap(warm.stamp(clock.take(warm.events)), scenario.coding, warm.events)
    for number in range(plan.requests):
        luck = dice.random()
        if luck < scenario.replayed and len(sent) > ANSWERED_AFTER:
            yield sent[-ANSWERED_AFTER]
            continue
        template = (refused if dice.random() < scenario.refused else templates)[number % len(templates)]
        ids = clock.take(size)
        if luck < scenario.repeated and len(stamped) > ANSWERED_AFTER:
            template, ids = stamped[-ANSWERED_AFTER]
        request = envelope.wrap(template.stamp(ids), scenario.coding, size)
        if scenario.replayed:
            sent.append(request)
        if scenario.repeated:
            stamped.append((template, ids))
        yield request


def _spoilt(batch: Sequence[dict[str, object]], place: int) -> list[dict[str, object]]:
    """Return a batch whose last event has an unregistered model or a prompt, the most common reasons to refuse."""
    bad = {"routed_model": "house-model-7"} if place % 2 else {"prompt": "Write a poem about the sea, and rhyme it."}
    return [*batch[:-1], batch[-1] | bad]


def _span_requests(plan: Plan) -> Iterator[Request]:
    size = plan.scenario.batch_events
    pool = events(size, 1, plan.tags)
    for _ in range(plan.warm_requests + plan.requests):
        body = spans.export_request(pool, time.time_ns())
        head = (
            "POST /v1/traces HTTP/1.1\r\nHost: bench\r\nContent-Type: application/x-protobuf\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        yield Request(head.encode(), body, size)


def _head(token: str, coding: Coding) -> bytes:
    encoding = "" if coding == "identity" else f"Content-Encoding: {coding}\r\n"
    return (
        "POST /v1/events HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {token}\r\n{encoding}Content-Length: "
    ).encode()


def coded(body: bytes, coding: Coding) -> bytes:
    """Return a body in gzip or zstd."""
    if coding == "zstd":
        return zstandard.compress(body, _LEVEL)
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    return compressor.compress(body) + compressor.flush()
