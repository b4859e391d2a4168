"""The demo's events: a real trace of arrival times and token counts (see ingest/demo/trace/ATTRIBUTION.md).

The trace has nothing else, so categories, models, costs and latencies are made up by the rules of a router that sends
short requests to smaller models. Prices are list prices in USD per million tokens.
"""

import csv
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from schema.ids import uuid7

_FILE = Path(__file__).parent.parent / "demo" / "trace" / "azure_llm_inference_2023.csv"
_REQUESTED = "claude-opus-4-5"
_PRICES = {  # Input and output, from genai-prices 0.2.3.
    "claude-opus-4-5": (5.0, 25.0),
    "claude-sonnet-4-5": (3.0, 15.0),
    "claude-haiku-4-5": (1.0, 5.0),
}
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
        "provider": "anthropic",
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
    """Return nano-USD: 1 USD per million tokens is 1,000 nano-USD per token."""
    price_in, price_out = _PRICES[model]
    return round(1_000 * (price_in * arrival.context_tokens + price_out * arrival.generated_tokens))
