"""Ask a model by Anthropic's SDK, and report the call: `python anthropic_sdk.py "Why is the sky blue?"`."""

import sys
import time

from anthropic import Anthropic

from nocontent_reporter import Event, Reporter, settings, stop_reasons, usage

MODEL = "claude-haiku-4-5"
to = settings.from_environment()
reporter = Reporter(to.url, to.token, to.spool)
began = time.monotonic()
answer = Anthropic().messages.create(model=MODEL, max_tokens=100, messages=[{"role": "user", "content": sys.argv[1]}])
reporter.report(
    Event(
        **usage.anthropic(answer.usage).tokens,
        provider="anthropic",
        requested_model=MODEL,
        routed_model=answer.model,
        latency_ms=round((time.monotonic() - began) * 1_000),
        stop_reason=stop_reasons.anthropic(answer.stop_reason),
    )
)
