"""Requests as clients send them: which records are calls, and what of a call is stored."""

from collections.abc import Mapping

import pytest

from ingest.intake import projection
from ingest.intake.projection import Projected
from schema.limits import TAGS_MAX
from tests.support import otlp, otlp_calls
from tests.support.otlp import Json

STARTED_MS = 1_795_376_540_613
PROSE = "What is the weather in Paris?"


def events(*spans: Json, resource: Mapping[str, object] = {}, scope: str = "test") -> list[Projected]:
    return [
        found.call.event for found in otlp_calls.read(otlp.traces(*spans, resource=resource, scope={"name": scope}))
    ]


def event(values: Mapping[str, object], fields: Mapping[str, object] = {}, scope: str = "test") -> Projected:
    """Return the one call of a span, with these attributes and fields in addition to good ones."""
    (made,) = events({**otlp.span(values, start_ms=STARTED_MS), **fields}, scope=scope)
    return made


# --- what clients send: attributes and fields of a span, and what is stored of them ---------------------------------

NONE: dict[str, object] = dict.fromkeys(otlp.GOOD)  # Instead of the good call's attributes.
ANTHROPIC_SDK = {
    "gen_ai.provider.name": "anthropic", "gen_ai.operation.name": "chat", "gen_ai.request.model": "claude-sonnet-4-5",
    "gen_ai.request.max_tokens": 100, "gen_ai.request.stream": True, "http.request.method": "POST",
    "http.route": "/v1/messages", "url.full": "https://api.anthropic.com/v1/messages", "http.response.status_code": 200,
    "gen_ai.response.time_to_first_chunk": 0.056142254, "gen_ai.response.id": "msg_013Zva2CMHLNnXjNJJKqJ2EF",
    "anthropic.request.id": "req_018EeWyXxfu5pfWkrYcMdjWG", "gen_ai.response.model": "claude-sonnet-4-5",
    "gen_ai.usage.input_tokens": 2125, "gen_ai.usage.cache_write.input_tokens": 100,
    "gen_ai.usage.cache_read.input_tokens": 2000, "anthropic.usage.cache_creation.ephemeral_5m_input_tokens": 60,
    "anthropic.usage.cache_creation.ephemeral_1h_input_tokens": 40, "anthropic.response.service_tier": "standard",
    "gen_ai.usage.output_tokens": 42, "anthropic.message.stop_reason": "end_turn",
}  # fmt: skip
SPLIT = {"input_tokens": 25, "cache_read_tokens": 2000, "cache_write_5m_tokens": 60, "cache_write_1h_tokens": 40}
WHOLE = {"input_tokens": 25, "cache_read_tokens": 2000, "cache_write_5m_tokens": 100, "output_tokens": 42}
CLIENTS: dict[str, tuple[Mapping[str, object], Mapping[str, object]]] = {
    "the Anthropic SDK": (
        ANTHROPIC_SDK,
        {**SPLIT, "output_tokens": 42, "http_status": 200, "stop_reason": "end_turn", "streamed": True, "ttft_ms": 56},
    ),
    "OpenTelemetry's instrumentation of OpenAI": (
        {
            "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-5-mini", "gen_ai.response.model": None,
            "gen_ai.response.finish_reasons": ["stop"], "gen_ai.response.id": "chatcmpl-123",
            "gen_ai.usage.input_tokens": 125, "gen_ai.usage.cache_read.input_tokens": 100,
            "gen_ai.usage.reasoning.output_tokens": 7, "openai.response.system_fingerprint": "fp_44709d6fcb",
        },
        {
            "provider": "openai", "requested_model": "gpt-5-mini", "routed_model": "gpt-5-mini", "input_tokens": 25,
            "cache_read_tokens": 100, "reasoning_tokens": 7, "stop_reason": "end_turn",
        },
    ),
    "an older one": (
        {
            "gen_ai.provider.name": None, "gen_ai.system": "openai", "gen_ai.usage.input_tokens": None,
            "gen_ai.usage.output_tokens": None, "gen_ai.usage.prompt_tokens": 125,
            "gen_ai.usage.completion_tokens": 42, "gen_ai.response.finish_reasons": ["tool_calls"],
        },
        {"provider": "openai", "input_tokens": 125, "output_tokens": 42, "stop_reason": "tool_use"},
    ),
    "OpenLLMetry": (
        {
            "gen_ai.usage.input_tokens": 2125, "gen_ai.usage.total_tokens": 2167, "gen_ai.is_streaming": True,
            "gen_ai.usage.cache_read.input_tokens": 2000, "gen_ai.usage.cache_creation.input_tokens": 100,
            "traceloop.workflow.name": "My workflow", "llm.is_streaming": "False",
        },
        {**WHOLE, "streamed": True},
    ),
    "OpenInference": (
        {
            **NONE, "openinference.span.kind": "LLM", "llm.provider": "anthropic", "llm.system": "anthropic",
            "llm.request.model_name": "claude-sonnet-4-5", "llm.model_name": "claude-sonnet-4-5",
            "llm.response.model_name": "claude-sonnet-4-5-20250929", "llm.finish_reason": "max_tokens",
            "llm.token_count.prompt": 2125, "llm.token_count.completion": 42, "llm.token_count.total": 2167,
            "llm.token_count.prompt_details.cache_read": 2000, "llm.token_count.prompt_details.cache_write": 100,
            "llm.cost.total": 0.001, "input.value": "__REDACTED__", "output.value": "__REDACTED__",
        },
        {
            **WHOLE, "requested_model": "claude-sonnet-4-5", "routed_model": "claude-sonnet-4-5-20250929",
            "stop_reason": "max_tokens", "cost_nanousd": 1_000_000,
        },
    ),
    "agentgateway": (
        {"agw.ai.usage.cost.total": 0.0025, "agw.ai.time_to_first_token": 0.21, "gen_ai.request.stream": True},
        {"cost_nanousd": 2_500_000, "ttft_ms": 210, "streamed": True},
    ),
    "vLLM": (
        {
            **NONE, "gen_ai.response.model": "meta-llama/Llama-3.3-70B-Instruct", "gen_ai.request.id": "cmpl-1",
            "gen_ai.usage.prompt_tokens": 10, "gen_ai.usage.completion_tokens": 20, "gen_ai.latency.e2e": 1.5,
            "gen_ai.latency.time_to_first_token": 0.25,
        },
        {
            "provider": "unknown", "requested_model": "meta-llama/Llama-3.3-70B-Instruct", "input_tokens": 10,
            "routed_model": "meta-llama/Llama-3.3-70B-Instruct", "output_tokens": 20, "latency_ms": 1_500,
            "ttft_ms": 250,
        },
    ),
    "Envoy AI Gateway": (
        {"gen_ai.original.model": "claude-opus-4-5", "gen_ai.request.model": "claude-haiku-4-5"},
        {"requested_model": "claude-opus-4-5", "routed_model": "claude-haiku-4-5"},
    ),
    "a proxy with attributes of ours": (
        {
            "nocontent.task_category": "summarization", "nocontent.cost_nanousd": 5, "nocontent.fallback": True,
            "nocontent.baseline_cost_nanousd": 9, "nocontent.retried": True, "nocontent.escalated": True,
            "nocontent.cached": True, "nocontent.tag.team": "search", "gen_ai.usage.cost": 1.0,
        },
        {
            "task_category": "summarization", "cost_nanousd": 5, "baseline_cost_nanousd": 9, "fallback": True,
            "retried": True, "escalated": True, "cached": True, "tags": (("team", "search"),),
        },
    ),
    "odd values": (
        {
            "gen_ai.usage.input_tokens": -1, "gen_ai.usage.output_tokens": "17", "gen_ai.request.stream": "true",
            "gen_ai.usage.cost": float("nan"), "http.response.status_code": 0, "gen_ai.response.model": "",
            "gen_ai.usage.reasoning_tokens": 5.0, "gen_ai.response.finish_reasons": [],
        },
        {
            "input_tokens": 0, "output_tokens": 17, "streamed": True, "cost_nanousd": None, "http_status": None,
            "routed_model": "claude-opus-4-5", "reasoning_tokens": 5, "stop_reason": None,
        },
    ),
}  # fmt: skip


@pytest.mark.parametrize(("sent", "stored"), CLIENTS.values(), ids=CLIENTS)
def test_a_clients_span_is_stored(sent: Mapping[str, object], stored: Mapping[str, object]) -> None:
    made = event(sent)
    assert {name: getattr(made, name) for name in stored} == stored
    assert made.latency_ms == stored.get("latency_ms", 840)


def test_litellms_span_has_its_models_elsewhere() -> None:
    sent = {
        "gen_ai.request.model": "claude-sonnet-4-5", "gen_ai.response.model": "my-alias", "gen_ai.system": "anthropic",
        "litellm.model_group": "my-alias", "litellm.provider.model": "anthropic/claude-sonnet-4-5",
        "gen_ai.cost.total_cost": 0.0017699999999999999, "gen_ai.response.finish_reasons": '["stop"]',
        "llm.is_streaming": "False", "gen_ai.operation.name": "acompletion", "llm.request.type": "acompletion",
    }  # fmt: skip
    made = event(sent, scope="litellm")
    assert (made.requested_model, made.routed_model) == ("my-alias", "anthropic/claude-sonnet-4-5")
    assert (made.cost_nanousd, made.stop_reason, made.streamed) == (1_770_000, "end_turn", False)
    assert event(sent).requested_model == "claude-sonnet-4-5"  # Of another scope.


@pytest.mark.parametrize(
    ("sent", "fields", "stored"),
    [
        ({}, {"status": {"code": 2}}, ("error", None)),
        ({"error.type": "anthropic.RateLimitError"}, {}, ("rate_limited", None)),
        ({"error.type": "529"}, {"status": {"code": 2}}, ("error", 529)),
        ({"http.status_code": 504}, {}, ("timeout", 504)),
        ({}, {"status": {"code": 1}}, ("ok", None)),
    ],
)
def test_an_outcome_is_stored(sent: Json, fields: Json, stored: tuple[str, int | None]) -> None:
    made = event(sent, fields)
    assert (made.status, made.http_status) == stored


def test_the_type_of_an_exception_is_read_from_its_event() -> None:
    failed = {"name": "exception", "attributes": otlp.attributes({"exception.type": "openai.APITimeoutError"})}
    assert event({}, {"events": [failed], "status": {"code": 2}}).status == "timeout"


@pytest.mark.parametrize(
    ("values", "fields"),
    [
        (NONE, {}),
        ({"gen_ai.request.model": None, "gen_ai.response.model": None}, {}),
        ({"gen_ai.operation.name": "execute_tool"}, {}),
        ({"gen_ai.operation.name": "invoke_agent"}, {}),
        ({"openinference.span.kind": "CHAIN"}, {}),
        ({}, {"traceId": ""}),
        ({}, {"spanId": "0" * 16}),
    ],
)
def test_other_spans_are_no_calls(values: Json, fields: Json) -> None:
    assert events({**otlp.span(values), **fields}) == []


# --- ids, and calls in several records -------------------------------------------------------------------------------


def test_an_id_is_made_of_the_start_and_the_id_of_the_answer() -> None:
    made = event({"gen_ai.response.id": "msg_1"})
    assert made.event_id == projection.event_id(STARTED_MS, "msg_1")
    assert made == event({"gen_ai.response.id": "msg_1"})  # In another trace.


def test_without_an_answer_an_id_is_made_of_the_spans_own() -> None:
    made = event({}, {"traceId": "ab" * 16, "spanId": "cd" * 8})
    assert made.event_id == projection.event_id(STARTED_MS, "ab" * 16 + "cd" * 8)


def test_a_span_that_is_sent_twice_in_a_request_is_one_call() -> None:
    span = otlp.span()
    assert len(events(span, span)) == 1


def test_two_instrumentations_of_one_call_make_one_event() -> None:
    outer = otlp.span({"gen_ai.response.id": "msg_1"}, start_ms=STARTED_MS, took_ms=100)
    inner = otlp.span({"gen_ai.response.id": "msg_1"}, start_ms=STARTED_MS + 1, took_ms=98)
    assert [each.event_id for each in events(outer, inner)] == [projection.event_id(STARTED_MS, "msg_1")]


def test_a_call_within_a_call_is_the_call() -> None:
    outer = otlp.span({"gen_ai.response.model": "claude-opus-4-5"})
    inner = otlp.span({"gen_ai.response.id": "msg_1"}, traceId=outer["traceId"], parentSpanId=outer["spanId"])
    for spans in ((outer, inner), (inner, outer)):
        assert [each.routed_model for each in events(*spans)] == ["claude-haiku-4-5"]


def test_an_answer_from_a_cache_is_another_call() -> None:
    first = otlp.span({"gen_ai.response.id": "msg_1"}, start_ms=STARTED_MS, took_ms=100)
    second = otlp.span({"gen_ai.response.id": "msg_1"}, start_ms=STARTED_MS + 100, took_ms=1)
    assert len(events(first, second)) == 2


# --- tags ------------------------------------------------------------------------------------------------------------


def test_a_resource_implies_tags_that_are_declared() -> None:
    resource = {"service.name": "my-proxy", "service.version": "1.2.3", "deployment.environment.name": "prod"}
    (made,) = events(otlp.span(), resource=resource)
    assert made.tags == (("service", "my-proxy"),)
    (made,) = events(otlp.span(), resource={"service.name": "another"})
    assert made.tags == (("service", "unknown"),)


def test_a_named_tag_comes_before_an_implied_one() -> None:
    resource = {"service.name": "my-proxy", "nocontent.tag.team": "assistant", "nocontent.tag.region": "eu"}
    (made,) = events(otlp.span({"nocontent.tag.team": "search", "nocontent.tag.service": "mine"}), resource=resource)
    assert made.tags == (("region", "eu"), ("service", "mine"), ("team", "search"))


def test_an_implied_tag_gives_way_where_there_is_no_room() -> None:
    named = {f"nocontent.tag.key{number}": "x" for number in range(TAGS_MAX)}
    (made,) = events(otlp.span(named), resource={"service.name": "my-proxy"})
    assert [key for key, _ in made.tags] == [f"key{number}" for number in range(TAGS_MAX)]


# --- log records -----------------------------------------------------------------------------------------------------

API_REQUEST = {
    "model": "claude-sonnet-4-5-20250929", "cost_usd": 0.00168, "cost_usd_micros": 1680, "duration_ms": 5234,
    "input_tokens": 25, "output_tokens": 42, "cache_read_tokens": 2000, "cache_creation_tokens": 100,
    "request_id": "req_011CSHoEeqs5C35K2UUqR7Fy", "session.id": "2f0b2a4e", "event.sequence": 1,
    "user.email": "dev@example.com", "prompt.id": "9d3c1e0a", "event.name": "api_request", "query_source": "main",
}  # fmt: skip


def of_log(record: Json) -> Projected:
    (found,) = otlp_calls.read(otlp.logs(record))
    return found.call.event


def test_claude_codes_request_is_a_call() -> None:
    at_ms = STARTED_MS + 5234
    made = of_log(otlp.log("claude_code.api_request", API_REQUEST, timeUnixNano=str(at_ms * 1_000_000)))
    assert made.event_id == projection.event_id(STARTED_MS, "req_011CSHoEeqs5C35K2UUqR7Fy")
    assert {name: getattr(made, name) for name in WHOLE} == WHOLE
    assert (made.provider, made.requested_model, made.routed_model) == ("anthropic", *[API_REQUEST["model"]] * 2)
    assert (made.cost_nanousd, made.latency_ms, made.status, made.retried) == (1_680_000, 5234, "ok", False)


def test_claude_codes_failure_is_a_call() -> None:
    sent = {"model": "claude-sonnet-4-5", "status_code": 429, "attempt": 2, "session.id": "2f0b", "event.sequence": 7}
    made = of_log(otlp.log("claude_code.api_error", sent))
    assert (made.status, made.http_status, made.retried) == ("rate_limited", 429, True)
    assert made.event_id.endswith(projection.event_id(0, "2f0b:7")[14:])


def test_the_name_of_an_event_may_be_its_body() -> None:
    record = otlp.log("", API_REQUEST, body={"stringValue": "claude_code.api_request"})
    assert of_log(record).latency_ms == 5234


def test_other_log_records_are_no_calls() -> None:
    records = [
        otlp.log("claude_code.user_prompt", {"prompt": "<REDACTED>", "prompt_length": 47, "model": "x"}),
        otlp.log("", {"model": "x"}, body={"stringValue": "The user said: " + PROSE}),
        otlp.log("gen_ai.choice", {}, body=otlp.any_value({"index": 0, "message": {"role": "assistant"}})),
        otlp.log("gen_ai.user.message", {}, body={}),
    ]
    assert otlp_calls.read(otlp.logs(*records)) == []
