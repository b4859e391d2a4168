"""Good events and bodies, to be changed in one thing, and UUIDv7s for any time."""

import json
import secrets
import time

from schema import ids

GOOD = {
    "task_category": "summarization",
    "provider": "anthropic",
    "requested_model": "claude-opus-4-5",
    "routed_model": "claude-haiku-4-5",
    "input_tokens": 812,
    "output_tokens": 96,
    "cache_read_tokens": 0,
    "cache_write_5m_tokens": 0,
    "cache_write_1h_tokens": 0,
    "reasoning_tokens": 0,
    "cost_nanousd": 1_292_000,
    "baseline_cost_nanousd": 6_460_000,
    "latency_ms": 840,
    "ttft_ms": 210,
    "status": "ok",
    "http_status": 200,
    "stop_reason": "end_turn",
    "streamed": True,
    "cached": False,
    "fallback": False,
    "retried": False,
    "escalated": False,
    "tags": {"team": "search"},
}
DAY_MS = 86_400_000


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def uuid7(at_ms: int | None = None) -> str:
    """Return a UUIDv7 for now, or another time."""
    return str(ids.uuid7(now_ms() if at_ms is None else at_ms, secrets.randbits(80)))


def event(**changed: object) -> dict[str, object]:
    """Return a good event with a new id, with fields changed or added."""
    return {"event_id": uuid7(), **GOOD, **changed}


def body(*events: dict[str, object], **envelope: object) -> bytes:
    """Return a body with these events, or with one good event."""
    return json.dumps({**envelope, "events": events or (event(),)}, separators=(",", ":")).encode("ascii")


def stream(sequence: int, stream_id: str | None = None) -> dict[str, object]:
    return {"id": stream_id or uuid7(), "sequence": sequence}
