"""Makes calls with a provider's SDK under an instrumentation of OpenTelemetry; runs in an environment of its own.

Arguments: the provider's SDK (`anthropic`, `openai`), the instrumentation, and the URL of a provider.
"""

import contextlib
import importlib
import sys

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

# The module and class of each instrumentation of an SDK; the SDK's own tracing needs none.
INSTRUMENTORS = {
    ("anthropic", "genai"): ("opentelemetry.instrumentation.genai.anthropic", "AnthropicInstrumentor"),
    ("anthropic", "openllmetry"): ("opentelemetry.instrumentation.anthropic", "AnthropicInstrumentor"),
    ("anthropic", "openinference"): ("openinference.instrumentation.anthropic", "AnthropicInstrumentor"),
    ("openai", "genai"): ("opentelemetry.instrumentation.genai.openai", "OpenAIInstrumentor"),
    ("openai", "openllmetry"): ("opentelemetry.instrumentation.openai", "OpenAIInstrumentor"),
    ("openai", "openinference"): ("openinference.instrumentation.openai", "OpenAIInstrumentor"),
}
PROMPT = "CANARY-PROMPT what is the weather in Paris?"


def main(sdk: str, instrumentation: str, url: str) -> None:
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    if (sdk, instrumentation) in INSTRUMENTORS:
        module, name = INSTRUMENTORS[sdk, instrumentation]
        getattr(importlib.import_module(module), name)().instrument(tracer_provider=provider)
    {"anthropic": call_anthropic, "openai": call_openai}[sdk](url)
    provider.shutdown()


def call_anthropic(url: str) -> None:
    import anthropic  # noqa: PLC0415 (only now is it instrumented)

    client = anthropic.Anthropic(api_key="CANARY-KEY", base_url=url, max_retries=0)
    usual = {"model": "claude-sonnet-4-5", "max_tokens": 100}
    client.messages.create(**usual, messages=[{"role": "user", "content": PROMPT}], system="CANARY-SYSTEM be brief")
    for _ in client.messages.create(**usual, messages=[{"role": "user", "content": PROMPT}], stream=True):
        pass
    for word in ("FAIL400", "FAIL429"):
        with contextlib.suppress(anthropic.APIError):
            client.messages.create(**usual, messages=[{"role": "user", "content": f"{PROMPT} {word}"}])


def call_openai(url: str) -> None:
    import openai  # noqa: PLC0415 (only now is it instrumented)

    client = openai.OpenAI(api_key="CANARY-KEY", base_url=f"{url}/v1", max_retries=0)
    asked = [{"role": "system", "content": "CANARY-SYSTEM be brief"}, {"role": "user", "content": PROMPT}]
    client.chat.completions.create(model="gpt-5-mini", messages=asked)
    streamed = {"stream": True, "stream_options": {"include_usage": True}}
    for _ in client.chat.completions.create(model="gpt-5-mini", messages=asked, **streamed):
        pass
    for word in ("FAIL400", "FAIL429"):
        with contextlib.suppress(openai.APIError):
            failing = [{"role": "user", "content": f"{PROMPT} {word}"}]
            client.chat.completions.create(model="gpt-5-mini", messages=failing)


if __name__ == "__main__":
    main(*sys.argv[1:])
