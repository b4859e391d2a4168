"""Finished requests for tests."""

import time

from ingest.gateway.records import Usage
from ingest.gateway.telemetry.finished import Finished

USAGE = Usage(1_000, 20_000, 0, 0, 500, 0)


def finished(tenant_id: int = 7) -> Finished:
    """Return a request that was routed from Opus to Haiku."""
    return Finished(
        tenant_id=tenant_id,
        provider="anthropic",
        requested_model="claude-opus-4-5",
        routed_model="claude-haiku-4-5",
        reason="routed",
        category="summarization",
        status="ok",
        http_status=200,
        usage=USAGE,
        stop_reason="end_turn",
        latency_ms=840,
        ttft_ms=210,
        streams=True,
        retried=False,
        fallback=False,
        at_ms=time.time_ns() // 1_000_000,
    )
