"""`POST /v1/integrations/litellm`: what is stored of a record, what is rejected, and what refuses all of them."""

import gzip
import json
from collections.abc import Callable

import pytest
from msgspec import Raw

from ingest.intake import projection, records
from ingest.intake.litellm import door
from ingest.intake.litellm.records import project
from ingest.intake.projection import Projected
from ingest.knowledge.diagnostics import Diagnostics
from ingest.knowledge.snapshot import Tenant
from ingest.serving.steps import finish
from schema.vocabulary import Mode
from tests.support import cluster, litellm
from tests.support.customers import Customer
from tests.support.gauge import VOCABULARIES
from tests.support.litellm import METADATA, Record, body, lines, record
from tests.support.service import Server
from tests.support.wire import Answer, Sender

SenderOf = Callable[[str], Sender]
PATH = "/v1/integrations/litellm"
CANARY = "CANARY-LITELLM what the caller wrote"
_EVENT = """
SELECT task_category, provider, requested_model, routed_model, input_tokens, output_tokens, cache_read_tokens,
    cache_write_5m_tokens, cache_write_1h_tokens, reasoning_tokens, cost_nanousd, baseline_cost_nanousd, latency_ms,
    ttft_ms, status, http_status, stop_reason, streamed, cached, fallback, retried, escalated, tags
FROM readable_events WHERE tenant_id = $1 AND event_id = $2
"""


def post(sender: Sender, content: bytes) -> Answer:
    return sender.post(content, path=PATH)


def counts(accepted: int, duplicates: int = 0, rejected: int = 0) -> dict[str, int]:
    return {"accepted": accepted, "duplicates": duplicates, "rejected": rejected}


def projected(**changed: object) -> Projected:
    return project(Raw(json.dumps(record(**changed)).encode()), VOCABULARIES[Mode.REFUSE])


def metadata(**changed: object) -> dict[str, object]:
    return {**METADATA, **changed}


@pytest.mark.parametrize("content", [body, lines])
def test_records_are_stored_once_in_each_form(sender: Sender, content: Callable[[list[Record]], bytes]) -> None:
    sent = content([record(), record(), record()])
    assert post(sender, b"\n" + sent + b"\n\n").json == counts(3)
    assert post(sender, sent).json == counts(0, 3)
    answer = sender.post(gzip.compress(sent), {"Content-Encoding": "gzip"}, PATH)
    assert answer.json == counts(0, 3)


@pytest.mark.parametrize("indent", [None, 2])
def test_a_single_record_is_stored(sender: Sender, indent: int | None) -> None:
    assert post(sender, json.dumps(record(), indent=indent).encode()).json == counts(1)


def test_a_record_becomes_a_row(sender: Sender, server: Server, tenants: dict[str, Customer]) -> None:
    sent = record(
        stream=True, cache_hit=True, autorouter_savings=0.00323, autorouter_savings_estimate={"status": "estimated"},
        response={"choices": [{"finish_reason": "length", "message": {"content": "redacted-by-litellm"}}]},
        metadata=metadata(routing_decision={"request_type": "Summarization", "escalated": True, "tier": "high"}),
        hidden_params={"additional_headers": {"x-litellm-attempted-retries": 2, "x-litellm-attempted-fallbacks": 1}},
    )  # fmt: skip
    assert post(sender, body([sent])).json == counts(1)
    event_id = project(Raw(json.dumps(sent).encode()), VOCABULARIES[Mode.REFUSE]).event_id
    (row,) = cluster.fetch(server.dsn, _EVENT, tenants["main"].tenant_id, event_id)
    assert dict(row) == {
        "task_category": "summarization", "provider": "anthropic", "requested_model": "claude-opus-4-5",
        "routed_model": "claude-haiku-4-5", "input_tokens": 25, "output_tokens": 42, "cache_read_tokens": 2000,
        "cache_write_5m_tokens": 60, "cache_write_1h_tokens": 40, "reasoning_tokens": 7, "cost_nanousd": 1_770_000,
        "baseline_cost_nanousd": 5_000_000, "latency_ms": 900, "ttft_ms": 200, "status": "ok", "http_status": None,
        "stop_reason": "max_tokens", "streamed": True, "cached": True, "fallback": True, "retried": True,
        "escalated": True, "tags": '{"team": "search"}',
    }  # fmt: skip


def test_the_id_is_of_the_start_and_of_the_call() -> None:
    at_s = 1_795_376_283.022
    first = projected(id="chatcmpl-1", startTime=at_s)
    assert first.event_id == projection.event_id(1_795_376_283_022, "ll:chatcmpl-1")
    assert projected(id=None, litellm_call_id="chatcmpl-1", startTime=at_s).event_id == first.event_id
    assert projected(id="chatcmpl-2", startTime=at_s).event_id != first.event_id


@pytest.mark.parametrize(
    ("changed", "fields"),
    [
        ({"response_cost": None}, {"cost_nanousd": None, "baseline_cost_nanousd": None}),
        ({"autorouter_savings": 1.0}, {"baseline_cost_nanousd": None}),
        ({"model_group": None}, {"requested_model": "claude-haiku-4-5"}),
        ({"model": ""}, {"routed_model": "claude-haiku-4-5"}),
        ({"custom_llm_provider": None}, {"provider": "unknown", "routed_model": "anthropic/claude-haiku-4-5"}),
        ({"response_time": None}, {"latency_ms": 900}),
        ({"response_time": -1.0}, {"latency_ms": 0}),
        ({"stream": True, "completionStartTime": None}, {"streamed": True, "ttft_ms": None}),
        ({"metadata": None, "hidden_params": None}, {"input_tokens": 2125, "cache_read_tokens": 0}),
        ({"metadata": metadata(usage_object={"prompt_tokens_details": {"cached_tokens": 125}})},
         {"input_tokens": 2000, "cache_read_tokens": 125}),
        ({"metadata": metadata(routing_decision={"request_type": "no-such-task"})}, {"task_category": "unknown"}),
        ({"request_tags": ["team=search", "region:eu", "team", "colour:red", "team:nobody"]},
         {"tags": (("region", "eu"), ("team", "search"))}),
        ({"response": "redacted-by-litellm"}, {"stop_reason": None}),
        (litellm.FAILURE, {"status": "error", "http_status": 400}),
        ({"status": "failure", "error_information": {"error_code": "429"}}, {"status": "rate_limited"}),
        ({"status": "failure", "error_information": {"error_code": "nan", "error_class": "Timeout"}},
         {"status": "timeout", "http_status": None}),
    ],
)  # fmt: skip
def test_each_member_is_read_as_the_page_says(changed: dict[str, object], fields: dict[str, object]) -> None:
    event = projected(**changed)
    assert {name: getattr(event, name) for name in fields} == fields


# Where something stands in a record, what it is, and the rule that refuses it.
CONTENT: tuple[tuple[str, object, str], ...] = (
    ("messages", [{"role": "user", "content": CANARY}], "content.message"),
    ("messages", [{"role": "user", "content": "hello"}], "content.message"),
    ("messages", [{"content": "redacted-by-litellm", "name": CANARY}], "content.message"),
    ("response", {"choices": [{"message": {"content": CANARY}}]}, "content.output"),
    ("response", {"choices": [{"message": {"function": {"arguments": "{}a"}}}]}, "content.output"),
    ("response", {"output": [{"content": [{"text": CANARY}]}]}, "content.output"),
    ("response", CANARY, "content.output"),
    ("proxy_server_request", {"body": {"messages": CANARY}}, "content.prompt"),
    ("classifier_input", CANARY, "content.prompt"),
    ("originating_request_masked", {"prompt": CANARY}, "content.prompt"),
    ("model_parameters/messages", [CANARY], "content.message"),
    ("model_parameters/tools", [{"name": "f"}], "content.tool"),
    ("model_parameters/functions", [{"description": CANARY}], "content.tool"),
    ("model_parameters/stop", ["Human:"], "content.prompt"),
    ("model_parameters/stop_sequences", [CANARY], "content.prompt"),
    ("model_parameters/system", CANARY, "content.prompt"),
    ("model_parameters/instructions", CANARY, "content.prompt"),
    ("model_parameters/response_format", {"type": "json_schema"}, "content.tool"),
    ("model_parameters/prompt", "hello", "content.prompt"),
    ("model_parameters/input", [CANARY], "content.prompt"),
    ("model_parameters/prediction", {"content": CANARY}, "content.output"),
    ("metadata", CANARY, "content.tool"),
    ("metadata/mcp_tool_call_metadata/arguments", {"q": CANARY}, "content.tool"),
    ("metadata/mcp_tool_call_metadata/result", {"text": CANARY}, "content.tool"),
    ("metadata/vector_store_request_metadata", [{}, {"query": CANARY}], "content.prompt"),
    ("metadata/vector_store_request_metadata", [{"vector_store_search_response": [CANARY]}], "content.document"),
    ("metadata/prompt_management_metadata/prompt_variables", {"x": CANARY}, "content.prompt"),
    ("metadata/routing_decision/signals", [CANARY], "content.prompt"),
    ("metadata/routing_decision/matched_keyword", CANARY, "content.prompt"),
    ("metadata/routing_decision/escalation_keyword", CANARY, "content.prompt"),
    ("metadata/routing_decision/classifier_crux", CANARY, "content.prompt"),
    ("guardrail_information", [{"guardrail_request": {"text": CANARY}}], "content.prompt"),
    ("guardrail_information", {"guardrail_response": CANARY}, "content.output"),
    ("guardrail_information", [{}, None, {"match_details": [{"snippet": CANARY}]}], "content.prompt"),
    ("guardrail_information", [{"classification": {"why": CANARY}}], "content.output"),
    ("user_prompt", CANARY, "content.prompt"),
    ("api_key", "CANARY-LITELLM", "secret.field"),
    ("error_str", "no sk-ant-api03-" + "a" * 20, "secret.anthropic-key"),
    ("error_information/traceback", "ey" + "a" * 20 + ".ey" + "b" * 20, "secret.jwt"),
    ("response_cost_failure_debug_info/error_str", "Bearer " + "a" * 20, "secret.authorization"),
    ("model_group", "sk-proj-" + "a1" * 12, "secret.openai-key"),
)


def with_value(place: str, value: object) -> dict[str, object]:
    """Return a record with a value at a place."""
    first, *rest = place.split("/")
    for name in reversed(rest):
        value = {name: value}
    return record(**{first: value})


@pytest.mark.parametrize("tenant", ["main", "discarder"])
@pytest.mark.parametrize("row", CONTENT, ids=lambda row: row[0])
def test_content_refuses_the_whole_request(
    sender_of: SenderOf, server: Server, tenant: str, row: tuple[str, object, str]
) -> None:
    place, value, rule = row
    log_start = server.log.stat().st_size
    answer = post(sender_of(tenant), body([record(), with_value(place, value)]))
    assert (answer.status, answer.problem) == (422, "rejected")
    assert answer.rules[0] == rule
    assert {pointer.split("/")[1] for _, pointer in answer.violations} <= {"1", "*"}
    log = server.log.read_bytes()[log_start:].decode()
    assert "CANARY" not in answer.body.decode() + log


REDACTED: tuple[dict[str, object], ...] = (
    {"messages": [{"role": "user", "content": "redacted-by-litellm"}]},
    {"messages": None, "response": None},
    {"messages": "__REDACTED__", "response": {"text": "redacted-by-litellm"}},
    {"response": {
        "id": "chatcmpl-1", "model": "claude-haiku-4-5", "object": "chat.completion", "system_fingerprint": None,
        "choices": [{"finish_reason": "stop", "index": 0, "message": {
            "role": "assistant", "content": "redacted-by-litellm", "reasoning_content": "redacted-by-litellm",
            "tool_calls": [{"id": "toolu_1", "type": "function", "function": {
                "name": "get_weather", "arguments": "redacted-by-litellm"}}]}}],
        "usage": {"prompt_tokens": 2125, "service_tier": "standard"}}},
    {"model_parameters": {"stream": False, "stop": None, "tools": [], "max_tokens": 100, "user": "somebody"}},
    {"guardrail_information": [{"guardrail_name": "pii", "guardrail_request": None}]},
    {"proxy_server_request": {}, "cost_breakdown": {"total_cost": 0.1}, "model_map_information": {"key": "a b"}},
    {"a_number_of_tomorrow": 5, "user_prompt": None},
)  # fmt: skip


@pytest.mark.parametrize("changed", REDACTED)
def test_a_redacted_record_is_stored(sender: Sender, changed: dict[str, object]) -> None:
    assert post(sender, body([record(**changed)])).json == counts(1)


def test_a_record_with_the_text_of_an_error_is_rejected_by_default(sender: Sender) -> None:
    assert post(sender, body([record(), record(**litellm.FAILURE), record()])).json == counts(2, 0, 1)


def test_the_text_of_an_error_is_discarded_where_the_tenant_chose_so(sender_of: SenderOf, server: Server) -> None:
    failure = record(**{**litellm.FAILURE, "error_str": CANARY, "end_user": CANARY})
    log_start = server.log.stat().st_size
    assert post(sender_of("discarder"), body([record(), failure])).json == counts(2)
    scraper = Sender(server.metrics_bind)
    metrics = scraper.get("/metrics").body.decode()
    scraper.close()
    assert 'ingest_discarded_fields_total{field="error_str"}' in metrics
    assert "CANARY" not in metrics + server.log.read_bytes()[log_start:].decode()


@pytest.mark.parametrize(
    "wrong",
    [
        {"startTime": "yesterday"}, {"startTime": 0.0}, {"startTime": 1e300}, {"id": "a call about a secret"},
        {"id": None, "litellm_call_id": ""}, {"prompt_tokens": -1}, {"prompt_tokens": "many"}, {"prompt_tokens": 1e12},
        {"model_group": "a model of tomorrow"}, {"custom_llm_provider": "no-such-provider"},
        {"metadata": {"usage_object": 5}}, {"model": "a\nb"}, {"response_cost": 1e9},
    ],
)  # fmt: skip
def test_a_wrong_record_costs_no_other(sender: Sender, wrong: dict[str, object]) -> None:
    assert post(sender, body([record(), record(**wrong), record()])).json == counts(2, 0, 1)


def test_a_broken_line_costs_no_other(sender: Sender) -> None:
    broken = lines([record()]) + b'\n{"id": "' + CANARY.encode() + b"\n5\nnull\n" + lines([record()])
    assert post(sender, broken).json == counts(2, 0, 3)


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"", "shape.malformed-json"), (b"{", "shape.malformed-json"), (b"[{]", "shape.malformed-json"),
        (b"5", "shape.wrong-type"), (b'"CANARY"', "shape.wrong-type"),
        (b"CANARY\nCANARY", "shape.malformed-json"), (b"[" * 100_000, "shape.wrong-type"),
        (b'{"a":' * 100_000, "shape.malformed-json"), (b"[5]", "shape.wrong-type"),
        (b'["a"]', "shape.wrong-type"),
        (b"[" + b"{}," * 512 + b"{}]", "size.too-many-events"), (b"{}\n" * 513, "size.too-many-events"),
        (b"[" + b"{}," * 140_000 + b"{}]", "size.too-many-events"),
    ],
)  # fmt: skip
def test_a_body_that_is_no_list_of_records_is_refused(sender: Sender, content: bytes, rule: str) -> None:
    answer = post(sender, content)
    assert (answer.status, answer.rules) == (400 if rule == "shape.malformed-json" else 422, [rule])
    assert b"CANARY" not in answer.body


def test_an_empty_list_is_nothing_to_store(sender: Sender) -> None:
    assert post(sender, b"[]").json == counts(0)


def test_a_batch_of_litellms_size_is_stored(sender: Sender) -> None:
    padding = {f"price_{number}": 0.1 for number in range(400)}
    sent = body([record(model_map_information=padding) for _ in range(door.RECORDS_MAX)])
    assert len(sent) > 4_194_304
    assert post(sender, sent).json == counts(512)


def test_a_large_body_is_read_in_steps() -> None:
    sent = body([record(**litellm.FAILURE) for _ in range(door.RECORDS_MAX)])
    given = finish(records.split(sent, door.RECORDS_MAX))
    tenant = Tenant(1, VOCABULARIES[Mode.REFUSE], diagnostics=Diagnostics.DISCARD)
    assert sum(1 for _ in door.reading(given, tenant)) == door.RECORDS_MAX // 4


@pytest.mark.parametrize(
    "changed", [{}, {"metadata": {}}, {"guardrail_information": [{}]}, {"model_parameters": {}}], ids=str
)
def test_an_object_with_half_a_million_names_is_refused(sender: Sender, changed: Record) -> None:
    names = b",".join(b'"n%d":1' % number for number in range(490_000))
    sent = body([record(**changed)])
    name = next(iter(changed), "")
    start = sent.index(b"{", sent.index(b'"%s"' % name.encode()) if name else 0) + 1
    many = sent[:start] + names + (b"" if sent[start : start + 1] == b"}" else b",") + sent[start:]
    assert json.loads(many)
    answer = sender.post(many, path=PATH)
    assert (answer.status, answer.rules) == (422, ["size.too-many-names"])


def test_a_body_over_the_limit_is_refused(sender: Sender) -> None:
    assert sender.post(gzip.compress(b" " * (door.BYTES_MAX + 1)), {"Content-Encoding": "gzip"}, PATH).status == 413


def test_a_full_quota_is_answered_by_503(sender_of: SenderOf) -> None:
    sender = sender_of("modest")
    assert post(sender, body([record() for _ in range(10)])).json == counts(10)
    answer = post(sender, body([record()]))
    assert (answer.status, answer.problem) == (503, "quota-spent")
    assert 1 <= int(answer.headers["retry-after"]) <= 60


@pytest.mark.parametrize(("token", "status"), [(None, 401), ("policy-only", 403)])
def test_it_takes_a_token_that_may_write_events(
    server: Server, tenants: dict[str, Customer], token: str | None, status: int
) -> None:
    sender = server.sender(token and tenants[token].token)
    assert post(sender, body([record()])).status == status
    sender.close()
