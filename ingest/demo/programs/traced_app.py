"""Send spans with OpenTelemetry's SDK, by the GenAI semantic conventions, to where its own variables say.

An instrumentation makes such spans in an application. The last one has a prompt, as if its switch for content were on.
"""

import json
import logging
import re
import secrets
import sys
import time
from http import HTTPStatus

import requests
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind

CALLS = 100
LATENCY_NS = 1_400_000_000
RULE = re.compile(rb"[a-z]+\.[a-z-]+")  # In the message of a google.rpc.Status.
answers: list[tuple[int, bytes, int]] = []  # Status, body and the bytes sent, which the exporter keeps to itself.


def note(answer: requests.Response, **_: object) -> None:
    """Remember an answer."""
    answers.append((answer.status_code, answer.content, int(answer.request.headers["Content-Length"])))


def call(**content: str) -> None:
    """Make the span of a call that ends now."""
    usage = {"input_tokens": 2_920, "output_tokens": 80, "cache_read.input_tokens": 2_000}
    attributes: dict[str, str | int | list[str]] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "anthropic",
        "gen_ai.request.model": "claude-opus-4-5",
        "gen_ai.response.model": "claude-haiku-4-5",
        "gen_ai.response.id": f"msg_{secrets.token_hex(12)}",
        "gen_ai.response.finish_reasons": ["end_turn"],
        **{f"gen_ai.usage.{name}": tokens for name, tokens in usage.items()},
        **content,
    }
    ended_ns = time.time_ns()
    started_ns = ended_ns - LATENCY_NS
    span = tracer.start_span("chat claude-opus-4-5", kind=SpanKind.CLIENT, attributes=attributes, start_time=started_ns)
    span.end(ended_ns)


logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # It would log the refusal.
session = requests.Session()
session.hooks["response"].append(note)
exporter = OTLPSpanExporter(session=session)
provider = TracerProvider(resource=Resource.create({"service.name": "assistant"}))
provider.add_span_processor(BatchSpanProcessor(exporter))
tracer = provider.get_tracer("nocontent.demo")
for _ in range(CALLS):
    call()
provider.force_flush()
call(**{"gen_ai.input.messages": '[{"role":"user","content":"Our Q3 layoffs list is in the attached file."}]'})
provider.shutdown()
(first, partial, sent_bytes), (second, message, _) = answers
stored = CALLS if first == HTTPStatus.OK and not partial else 0
rules = [rule.decode() for rule in RULE.findall(message)] if second == HTTPStatus.BAD_REQUEST else []
done = {"sent": CALLS + 1, "stored": stored, "refused": int(bool(rules)), "rules": rules, "bytes": sent_bytes / CALLS}
sys.stdout.write(json.dumps(done))
