"""Providers' SDKs under instrumentations of OpenTelemetry, their switches, and what must become of their spans."""

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from ingest.knowledge.diagnostics import Diagnostics
from tests.clients.cases import Case, Expected
from tests.clients.relay import Answer
from tests.support.service import ROOT

PYTHON = ROOT / ".venv-clients-otlp/bin/python"
CLIENT = ROOT / "tests/clients/strangers/otlp_client.py"
NODE_CLIENT = ROOT / ".venv-clients-otlp/node/sdk.mjs"  # Only there if npm was.
CALLED_S = 120.0
CALLS, FAILURES = 4, 2  # Of each client: two of its calls fail.
_OK = 200
_REFUSED = re.compile(rb"(?:rejected|malformed): ([a-z.-]+)")
_CONTENT = frozenset({"content.prompt", "content.output"})
_HIDDEN = "OPENINFERENCE_HIDE_INPUTS OPENINFERENCE_HIDE_OUTPUTS OPENINFERENCE_HIDE_LLM_INVOCATION_PARAMETERS"
_GENAI = {
    "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "SPAN_ONLY",
    "OTEL_SEMCONV_STABILITY_OPT_IN": "gen_ai_latest_experimental",
}
_OFF: Mapping[str, Mapping[str, str]] = {
    "genai": {},
    "openllmetry": {"TRACELOOP_TRACE_CONTENT": "false"},
    "openinference": dict.fromkeys(_HIDDEN.split(), "true"),
}
_ON: Mapping[str, Mapping[str, str]] = {"genai": _GENAI, "openllmetry": {}, "openinference": {}}
_NAMES = {"genai": "OpenTelemetry's instrumentation", "openllmetry": "OpenLLMetry", "openinference": "OpenInference"}


class SpanCase(NamedTuple):
    """An SDK under an instrumentation, and its case."""

    sdk: str
    instrumentation: str
    environment: Mapping[str, str]
    case: Case


def _cases() -> list[SpanCase]:
    own = "Anthropic SDK, its own tracing"
    content = {"ANTHROPIC_OPEN_TELEMETRY_TRACES_CONTENT_MODE": "content"}
    made = [
        SpanCase("anthropic", "none", {}, Case(own, "as it comes", Expected(CALLS))),
        SpanCase("anthropic", "none", content, Case(own, "content", Expected(0, 0, _CONTENT))),
    ]
    for instrumentation, name in _NAMES.items():
        for sdk, title in (("anthropic", "Anthropic SDK"), ("openai", "OpenAI SDK")):
            client = f"{title}, {name}"
            for diagnostics in Diagnostics:
                expected = _expected(sdk, instrumentation, diagnostics)
                case = Case(client, "content off", expected, diagnostics)
                made.append(SpanCase(sdk, instrumentation, _OFF[instrumentation], case))
            case = Case(client, "content on", Expected(0, 0, _CONTENT), Diagnostics.DISCARD)
            made.append(SpanCase(sdk, instrumentation, _ON[instrumentation], case))
    if NODE_CLIENT.exists():
        for diagnostics in Diagnostics:
            case = Case("OpenAI SDK of Node, OpenTelemetry's instrumentation", "content off",
                        _expected("openai", "genai", diagnostics), diagnostics)  # fmt: skip
            made.append(SpanCase("openai", "node", {}, case))
    return made


def _expected(sdk: str, instrumentation: str, diagnostics: Diagnostics) -> Expected:
    if (sdk, instrumentation) == ("openai", "openinference"):
        return Expected(CALLS - FAILURES)  # Its failures have no model, so they are no calls.
    if diagnostics is Diagnostics.DISCARD:
        # Anthropic's SDK makes spans too. OpenLLMetry's are not their parents, and a failure has no id of an answer.
        return Expected(CALLS + (FAILURES if (sdk, instrumentation) == ("anthropic", "openllmetry") else 0))
    # Those of Anthropic's SDK hold no text.
    return Expected(CALLS if sdk == "anthropic" else CALLS - FAILURES, FAILURES)


SPANS: Sequence[SpanCase] = _cases()


def run(wanted: SpanCase, provider: str, service: str, token: str) -> None:
    """Make the calls, and send their spans in one request as the process ends."""
    environment = {
        "PATH": os.environ["PATH"], "OTEL_BSP_SCHEDULE_DELAY": "600000", "OTEL_EXPORTER_OTLP_ENDPOINT": service,
        "OTEL_EXPORTER_OTLP_HEADERS": f"Authorization=Bearer%20{token}", **wanted.environment,
    }  # fmt: skip
    command = [str(PYTHON), str(CLIENT), wanted.sdk, wanted.instrumentation, provider]
    if wanted.instrumentation == "node":
        command = ["node", str(NODE_CLIENT), provider]
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=CALLED_S)


def _said(answer: Answer) -> ExportTraceServiceResponse:
    if b"application/json" in answer.head:
        return json_format.Parse(answer.body, ExportTraceServiceResponse())
    return ExportTraceServiceResponse.FromString(answer.body)


def outcome(answers: Sequence[Answer]) -> tuple[int, frozenset[str]]:
    """Return the spans rejected by themselves, and the rules by which requests were refused."""
    good = [_said(answer) for answer in answers if answer.status == _OK]
    rules = {rule.decode() for answer in answers if answer.status != _OK for rule in _REFUSED.findall(answer.body)}
    return sum(each.partial_success.rejected_spans for each in good), frozenset(rules)
