"""The demo's events: a real trace of arrival times and token counts (see ingest/demo/trace/ATTRIBUTION.md).

The trace has nothing else, so categories, models, costs and latencies are made up by the rules of a router that sends
short requests to smaller models. Costs are those of the price book.
"""

import csv
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from ingest.pricing import book, rates
from ingest.pricing.rates import Tokens
from schema.ids import uuid7

_FILE = Path(__file__).parent.parent / "demo" / "trace" / "azure_llm_inference_2023.csv"
_PROVIDER, _REQUESTED = "anthropic", "claude-opus-4-5"
_PRICED_AT = datetime(2026, 11, 28, tzinfo=UTC)
_SERVICES = {"code": ("code_generation", "editor"), "conv": ("chat", "assistant")}
_TTFT_MS = 200
_MS_PER_TOKEN = 15


class Arrival(NamedTuple):
    """One request of the trace."""

    offset_ms: int
    service: str
    context_tokens: int
    generated_tokens: int


def read() -> list[Arrival]:
    """Read the whole trace, in order of arrival."""
    with _FILE.open(encoding="ascii", newline="") as file:
        rows = csv.reader(file)
        next(rows)
        return [Arrival(int(offset), service, int(context), int(made)) for offset, service, context, made in rows]


def events(arrivals: list[Arrival], ends_at_ms: int) -> Iterator[dict[str, object]]:
    """Yield the events as a proxy would report them, the last one at `ends_at_ms`."""
    starts_at_ms = ends_at_ms - arrivals[-1].offset_ms
    for arrival in arrivals:
        yield event(arrival, starts_at_ms + arrival.offset_ms)


def event(arrival: Arrival, at_ms: int) -> dict[str, object]:
    """Return one event with a new id."""
    category, team = _SERVICES[arrival.service]
    routed = _route(arrival)
    latency_ms = _TTFT_MS + _MS_PER_TOKEN * arrival.generated_tokens
    return {
        "event_id": str(uuid7(at_ms, secrets.randbits(80))),
        "task_category": category,
        "provider": _PROVIDER,
        "requested_model": _REQUESTED,
        "routed_model": routed,
        "input_tokens": arrival.context_tokens,
        "output_tokens": arrival.generated_tokens,
        "cache_read_tokens": 0,
        "cache_write_5m_tokens": 0,
        "cache_write_1h_tokens": 0,
        "reasoning_tokens": 0,
        "cost_nanousd": _cost(routed, arrival),
        "baseline_cost_nanousd": _cost(_REQUESTED, arrival),
        "latency_ms": latency_ms,
        "ttft_ms": _TTFT_MS,
        "status": "ok",
        "http_status": 200,
        "stop_reason": "end_turn",
        "streamed": arrival.service == "conv",
        "cached": False,
        "fallback": False,
        "retried": False,
        "escalated": routed == _REQUESTED,
        "tags": {"team": team},
    }


def _route(arrival: Arrival) -> str:
    if arrival.generated_tokens < 100:  # noqa: PLR2004 (a made-up rule)
        return "claude-haiku-4-5"
    return "claude-sonnet-4-5" if arrival.generated_tokens < 600 else _REQUESTED  # noqa: PLR2004 (likewise)


def _cost(model: str, arrival: Arrival) -> int:
    tokens = Tokens(arrival.context_tokens, 0, 0, 0, arrival.generated_tokens)
    cost = rates.price([book.shipped().schedule(_PROVIDER, model)], _PRICED_AT, tokens)
    assert cost is not None
    return cost
