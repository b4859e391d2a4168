"""A proxy that reports: a line in for each batch of events, and the same number out when they are in the spool.

It imports the reporter and nothing of the service. `close` lets it send what is left; then it prints `sent` or `left`.
"""

import json
import sys
from itertools import cycle
from pathlib import Path

from nocontent_reporter import Event, Options, Reporter, answers

RETRY_S_MAX = 0.5  # Instead of a minute, to have more of the load during the trouble.
KEPT_S = 60.0
MODELS = ("claude-haiku-4-5", "claude-opus-4-5")


def main(url: str, spool: str, spool_bytes: str, sent_s: str) -> None:
    """Report the events whose ids come in, until `close`."""
    answers.RETRY_S_MAX = RETRY_S_MAX
    options = Options(interval_s=0.05, spool_bytes=int(spool_bytes))
    reporter = Reporter(url, sys.stdin.readline().strip(), Path(spool), options)
    for line in sys.stdin:
        if line == "close\n":
            break
        number, ids = json.loads(line)
        for event_id, model in zip(ids, cycle(MODELS), strict=False):
            reporter.report(_event(event_id, model))
        _say(str(number) if reporter.sync(KEPT_S) else "not kept")
    _say("sent" if reporter.flush(float(sent_s)) else "left")
    reporter.close(0)


def _say(what: str) -> None:
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


def _event(event_id: str, model: str) -> Event:
    return Event(
        event_id=event_id,
        task_category="summarization",
        provider="anthropic",
        requested_model="claude-opus-4-5",
        routed_model=model,
        input_tokens=812,
        output_tokens=96,
        latency_ms=840,
        tags=(("team", "search"),),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
