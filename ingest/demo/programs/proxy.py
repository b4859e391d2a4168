"""Report calls as a proxy in Python does, with nocontent-reporter: `proxy.py URL TOKEN_FILE`.

The last call has a key where the model should be. The reporter itself refuses that event, and counts it.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

from nocontent_reporter import Event, Reporter, columns

CALLS = 1_000


def call(at: int) -> Event:
    """Return the event of a call that ends now."""
    return Event(
        task_category="chat",
        provider="anthropic",
        requested_model="claude-opus-4-5",
        routed_model="claude-haiku-4-5",
        input_tokens=820 + at,
        output_tokens=80,
        cache_read_tokens=2_000,
        cost_nanousd=(820 + at) * 1_000 + 80 * 5_000 + 2_000 * 100,
        baseline_cost_nanousd=(820 + at) * 5_000 + 80 * 25_000 + 2_000 * 500,
        latency_ms=1_400,
        ttft_ms=200,
        http_status=200,
        stop_reason="end_turn",
        streamed=True,
        tags=(("team", "assistant"),),
    )


url, token_file = sys.argv[1:]
reporter = Reporter(url, Path(token_file).read_text("ascii").strip())
events = [call(at) for at in range(CALLS)]
for event in events:
    reporter.report(event)
reporter.report(replace(call(0), routed_model="sk-ant-api03-" + "a1B2" * 6))
reporter.flush(30)
stats = reporter.stats()
done = {"sent": stats.reported, "stored": stats.stored, "refused": sum(stats.refused.values())}
size = len(columns.encode(events))  # Before compression, as in the other programs.
sys.stdout.write(json.dumps(done | {"rules": list(stats.refused), "bytes": size / CALLS}))
