"""Events as a proxy would report them, and reporters that do not make a test wait."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from nocontent_reporter import Event, Options, Reporter
from nocontent_reporter.ids import uuid7

QUICK = Options(interval_s=0.01)
WHOLE = Options(interval_s=60)  # What is reported before a flush is one batch, however busy the machine is.
GOOD = Event(
    task_category="summarization",
    provider="anthropic",
    requested_model="claude-opus-4-5",
    routed_model="claude-haiku-4-5",
    input_tokens=812,
    output_tokens=96,
    cost_nanousd=1_292_000,
    baseline_cost_nanousd=6_460_000,
    latency_ms=840,
    ttft_ms=210,
    http_status=200,
    stop_reason="end_turn",
    streamed=True,
    tags=(("team", "search"),),
)


def event(**changed: object) -> Event:
    """Return a good event with a new id, with fields changed."""
    return replace(GOOD, **({"event_id": uuid7()} | changed))  # type: ignore[arg-type]  # A test may break a type.


@contextmanager
def reporting(
    url: str, spool: Path | None = None, options: Options = WHOLE, token: str = "nct_test"
) -> Iterator[Reporter]:
    """Yield a reporter that is closed at the end of the block."""
    reporter = Reporter(url, token, spool, options)
    yield reporter
    reporter.close()
