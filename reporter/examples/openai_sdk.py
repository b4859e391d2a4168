"""Ask a model by OpenAI's SDK, and report the call: `python openai_sdk.py "Why is the sky blue?"`."""

import sys
import time

from openai import OpenAI

from nocontent_reporter import Event, Reporter, settings, stop_reasons, usage

MODEL = "gpt-4o-mini"
to = settings.from_environment()
reporter = Reporter(to.url, to.token, to.spool)
began = time.monotonic()
answer = OpenAI().chat.completions.create(model=MODEL, messages=[{"role": "user", "content": sys.argv[1]}])
reporter.report(
    Event(
        **usage.openai(answer.usage).tokens,
        provider="openai",
        requested_model=MODEL,
        routed_model=answer.model,
        latency_ms=round((time.monotonic() - began) * 1_000),
        stop_reason=stop_reasons.openai(answer.choices[0].finish_reason),
    )
)
