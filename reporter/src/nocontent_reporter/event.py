"""The record of one request that a proxy routed: numbers, words of closed lists and terms, never text."""

from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import Literal

from nocontent_reporter.ids import uuid7

Status = Literal["ok", "error", "timeout", "rate_limited", "cancelled", "refused"]
StopReason = Literal[
    "end_turn", "max_tokens", "stop_sequence", "tool_use", "content_filter", "pause_turn", "context_window", "other"
]
Tags = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One request. Make it when the request ends: its id is made then, and the time in the id is the event's time.

    Token counts are disjoint: `input_tokens` are those not read from or written to a cache. `reasoning_tokens` are part
    of `output_tokens`. None means unknown, which is not zero. Nothing is checked until the event is reported.
    """

    task_category: str = "unknown"
    provider: str
    requested_model: str
    routed_model: str
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    reasoning_tokens: int = 0
    cost_nanousd: int | None = None  # 1 USD is 10**9.
    baseline_cost_nanousd: int | None = None
    latency_ms: int
    ttft_ms: int | None = None
    status: Status = "ok"
    http_status: int | None = None
    stop_reason: StopReason | None = None
    streamed: bool = False
    cached: bool = False
    fallback: bool = False
    retried: bool = False
    escalated: bool = False
    tags: Tags = ()  # Pairs of a declared key and a registered value.
    event_id: str = field(default_factory=uuid7)  # A UUIDv7 of yours, if you can send an event twice.


NAMES = tuple(each.name for each in fields(Event))
values_of = attrgetter(*NAMES)
