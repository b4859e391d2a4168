"""Examples of bodies for `/openapi.json`: the same two events in rows and in columns."""

from typing import Final

_ENVELOPE: Final[dict[str, object]] = {
    "stream": {"id": "0192b7c4-5a60-7c1e-9d3f-2b8e4f6a1c05", "sequence": 41},
    "dropped": {"queue_full": 3},
}
ROWS: Final[dict[str, object]] = _ENVELOPE | {
    "events": [
        {
            "event_id": "019aab12-7c3e-7cc3-98c4-dc0c0c07398f", "task_category": "summarization",
            "provider": "anthropic", "requested_model": "claude-opus-4-5", "routed_model": "claude-haiku-4-5",
            "input_tokens": 812, "output_tokens": 96, "cache_read_tokens": 0, "cache_write_5m_tokens": 0,
            "cache_write_1h_tokens": 0, "reasoning_tokens": 0, "cost_nanousd": 1_292_000,
            "baseline_cost_nanousd": 6_460_000, "latency_ms": 840, "ttft_ms": 210, "status": "ok", "http_status": 200,
            "stop_reason": "end_turn", "streamed": True, "cached": False, "fallback": False, "retried": False,
            "escalated": False, "tags": {"team": "search"},
        },
        {
            "event_id": "019aab12-7c9d-7b1e-a0b7-5a4c1f0e2d38", "task_category": "summarization",
            "provider": "anthropic", "requested_model": "claude-opus-4-5", "routed_model": "claude-opus-4-5",
            "input_tokens": 10, "output_tokens": 0, "cache_read_tokens": 0, "cache_write_5m_tokens": 0,
            "cache_write_1h_tokens": 0, "reasoning_tokens": 0, "cost_nanousd": None, "baseline_cost_nanousd": None,
            "latency_ms": 99, "ttft_ms": None, "status": "error", "http_status": 529, "stop_reason": None,
            "streamed": True, "cached": False, "fallback": False, "retried": True, "escalated": False, "tags": {},
        },
    ]
}  # fmt: skip
COLUMNS: Final[dict[str, object]] = _ENVELOPE | {
    "terms": [
        "summarization", "anthropic", "claude-opus-4-5", "claude-haiku-4-5", "ok", "error", "end_turn",
    ],
    "tag_sets": [{"team": "search"}, {}],
    "columns": {
        "event_id": ["019aab12-7c3e-7cc3-98c4-dc0c0c07398f", "019aab12-7c9d-7b1e-a0b7-5a4c1f0e2d38"],
        "task_category": [0, 0], "provider": [1, 1], "requested_model": [2, 2], "routed_model": [3, 2],
        "input_tokens": [812, 10], "output_tokens": [96, 0], "cache_read_tokens": [0, 0],
        "cache_write_5m_tokens": [0, 0], "cache_write_1h_tokens": [0, 0], "reasoning_tokens": [0, 0],
        "cost_nanousd": [1_292_000, None], "baseline_cost_nanousd": [6_460_000, None], "latency_ms": [840, 99],
        "ttft_ms": [210, None], "status": [4, 5], "http_status": [200, 529], "stop_reason": [6, None],
        "streamed": [1, 1], "cached": [0, 0], "fallback": [0, 0], "retried": [0, 1], "escalated": [0, 0],
        "tags": [0, 1],
    },
}  # fmt: skip
