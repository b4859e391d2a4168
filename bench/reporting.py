"""A proxy that reports: prints the CPU time that its own threads and those of the reporter take for each event.

Run by `bench.reporter`, because it must have the reporter and nothing of the service.
"""

import json
import sys
import time
from itertools import islice
from pathlib import Path

from nocontent_reporter import Event, Options, Reporter

EVENTS = 20_000
FLUSH_S = 60.0
MODELS = ("claude-haiku-4-5", "claude-opus-4-5", "gpt-4o-mini")
OPTIONS = Options(buffer_events=2 * EVENTS)


def main(url: str, spool: str, rounds: str) -> None:
    """Print the microseconds an event of each round."""
    reporter = Reporter(url, "nct_bench", Path(spool), OPTIONS)
    _round(reporter)
    print(json.dumps([_round(reporter) for _ in range(int(rounds))]))
    reporter.close()


def _round(reporter: Reporter) -> dict[str, float]:
    whole = time.process_time_ns()
    began = time.thread_time_ns()
    events = list(map(_event, range(EVENTS)))
    made = time.thread_time_ns()
    for event in events:
        reporter.report(event)
    reported = time.thread_time_ns()
    assert reporter.flush(FLUSH_S), "the sink did not answer"
    spent = {
        "Event()": made - began,
        "report()": reported - made,
        "the whole process": time.process_time_ns() - whole,
    }
    return {name: ns / EVENTS / 1_000 for name, ns in spent.items()}


def _event(number: int) -> Event:
    return Event(
        task_category="summarization",
        provider="anthropic",
        requested_model="claude-opus-4-5",
        routed_model=MODELS[number % len(MODELS)],
        input_tokens=800 + number * 7 % 9_001,
        output_tokens=90 + number * 11 % 1_999,
        cache_read_tokens=number * 13 % 20_011,
        cost_nanousd=1_292_000 + number * 101,
        baseline_cost_nanousd=6_460_000 + number * 101,
        latency_ms=840 + number % 3_001,
        ttft_ms=210 + number % 97,
        http_status=200,
        stop_reason="end_turn",
        streamed=bool(number % 2),
        tags=(("region", "eu"), ("team", "search")) if number % 3 else (("team", "editor"),),
    )


if __name__ == "__main__":
    main(*islice(sys.argv, 1, None))
