"""Content in the records of other formats: LiteLLM's, and CloudEvents."""

import gzip
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from ingest.intake.litellm.content import CONTENT, DIAGNOSTICS
from ingest.prove.case import Case, Expected, Headers, Request, ignored
from ingest.prove.formats import key
from ingest.prove.kit import Json, Kit, text
from ingest.prove.words import CONTENT as CONTENT_NAMES
from ingest.prove.words import CREDENTIALS, SENTENCES

_EACH_MODEL = 500  # Of some 10,000.
_LITELLM = b"/v1/integrations/litellm"
_CLOUDEVENTS = b"/api/v1/events"
_ONE: Headers = ((b"Content-Type", b"application/cloudevents+json"),)
_BATCH: Headers = ((b"Content-Type", b"application/cloudevents-batch+json"),)
# The members of a record that are none of those that content refuses.
_MEMBERS = """
id litellm_call_id trace_id session_id call_type cache_hit stream status status_fields/llm_api_status
custom_llm_provider startTime endTime completionStartTime response_time model model_group model_id
model_map_information/model_map_key model_map_information/model_map_value/litellm_provider api_base cache_key
response_cost cost_breakdown/service_tier autorouter_savings autorouter_savings_estimate/status prompt_tokens
completion_tokens total_tokens request_tags end_user requester_ip_address user_agent request_model_access_groups
zero_cost_diagnostic/pricing_model metadata/user_api_key_hash metadata/user_api_key_alias
metadata/user_api_key_user_email metadata/requester_ip_address metadata/user_agent metadata/requester_metadata/note
metadata/requester_metadata/headers/x-note metadata/requester_custom_headers/x-note metadata/spend_logs_metadata
metadata/usage_object/service_tier metadata/usage_object/prompt_tokens
metadata/usage_object/prompt_tokens_details/cached_tokens
metadata/usage_object/completion_tokens_details/reasoning_tokens metadata/routing_decision/request_type
metadata/routing_decision/tier_label metadata/routing_decision/routed_model metadata/applied_guardrails
metadata/user_api_key_auth_metadata/note metadata/mcp_tool_call_metadata/name hidden_params/litellm_model_name
hidden_params/api_base hidden_params/additional_headers/x-note hidden_params/additional_headers/llm_provider-server
model_parameters/user model_parameters/metadata/user_id model_parameters/tool_choice error_information/error_code
error_information/error_class error_information/llm_provider guardrail_information/guardrail_name
""".split()
_ATTRIBUTES = "id source type time subject specversion datacontenttype dataschema traceparent note data_base64".split()
_DATA = "model provider cost prompt_tokens completion_tokens total_tokens note user".split()


def litellm_content(kit: Kit) -> Iterator[Case]:
    """Yield records with content where LiteLLM has it: the whole request must be refused."""
    for path in CONTENT:
        for form in ("a word", "a sentence", "a list", "an object"):
            for beside in (0, 2):
                canary = kit.canary()
                wrong = _with(_record(kit), path, _values(canary)[form])
                records = [*(_record(kit) for _ in range(beside)), wrong]
                what = f"{form} in {'/'.join(path)}, beside {beside}"
                yield Case(what, canary, Request(_lines(records), target=_LITELLM), events=len(records))
    for name in (*CONTENT_NAMES, *CREDENTIALS):
        canary = kit.canary()
        record = _with(_record(kit), (name,), SENTENCES[0].format(canary))
        yield _ignored(f"a sentence in {name}", canary, [record])


def litellm_members(kit: Kit) -> Iterator[Case]:
    """Yield records with a canary in each other member: stored without it, or rejected."""
    paths = [*(tuple(member.split("/")) for member in _MEMBERS), *DIAGNOSTICS]
    for path in paths:
        for form in _values(""):
            canary = kit.canary()
            yield _ignored(f"{form} in {'/'.join(path)}", canary, [_with(_record(kit), path, _values(canary)[form])])
        canary = kit.canary()
        yield _ignored(f"a name in {'/'.join(path)}", canary, [_with(_record(kit), path, {canary: 1})])
    canary = kit.canary()
    yield _ignored("a name", canary, [_with(_record(kit), (canary,), 1)])
    canary = kit.canary()
    broken = _lines([_record(kit)]) + b'\n{"id": "' + canary.encode()
    yield ignored("a broken line", canary, Request(broken, target=_LITELLM))._replace(events=2)


def cloudevents(kit: Kit) -> Iterator[Case]:
    """Yield CloudEvents with a canary in each attribute and in each member of their data."""
    for name in _ATTRIBUTES:
        for form in _values(""):
            canary = kit.canary()
            event = {**_event(kit), name: _values(canary)[form]}
            yield ignored(f"{form} in {name}", canary, Request(text(event), _ONE, target=_CLOUDEVENTS))
    for name in _DATA:
        for form in _values(""):
            canary = kit.canary()
            event = _with(_event(kit), ("data", name), _values(canary)[form])
            yield ignored(f"{form} in data/{name}", canary, Request(text(event), _ONE, target=_CLOUDEVENTS))
    for name in (*CONTENT_NAMES, *CREDENTIALS):
        for path in ((name,), ("data", name)):
            canary = kit.canary()
            events = [_event(kit), _with(_event(kit), path, SENTENCES[0].format(canary)), _event(kit)]
            request = Request(text(events), _BATCH, target=_CLOUDEVENTS)
            expected = Expected.IGNORED if path == ("subject",) else Expected.REFUSED
            yield Case(f"a sentence in {'/'.join(path)} of a batch", canary, request, expected, len(events))


def accepted_records(kit: Kit) -> Iterator[Case]:
    """Yield good records of many models in each form; a canary that they do not hold is searched for all the same."""
    for model in kit.policy.terms["model"][::_EACH_MODEL]:
        for what, request, events in _good(kit, {"model": model, "model_group": model}):
            yield Case(f"{what} of {model}", kit.canary(), request, Expected.ACCEPTED, events)


def _good(kit: Kit, changed: Json) -> Iterator[tuple[str, Request, int]]:
    records: list[Json] = [{**_record(kit), **changed} for _ in range(3)]
    event = _with(_event(kit), ("data", "model"), changed["model"])
    packed: Headers = ((b"Content-Encoding", b"gzip"),)
    yield "a list", Request(text(records[:2]), target=_LITELLM), 2
    yield "lines", Request(_lines([_record(kit), *records[2:]]), target=_LITELLM), 2
    yield "one", Request(text({**_record(kit), **changed}), target=_LITELLM), 1
    yield "gzip", Request(gzip.compress(text([_record(kit)]), mtime=0), packed, target=_LITELLM), 1
    yield "a CloudEvent", Request(text(event), _ONE, target=_CLOUDEVENTS), 1
    yield "CloudEvents", Request(text([_event(kit), _event(kit)]), _BATCH, target=_CLOUDEVENTS), 2


def _ignored(what: str, canary: str, records: Sequence[Json]) -> Case:
    return ignored(what, canary, Request(text(records), target=_LITELLM))._replace(events=len(records))


def _values(canary: str) -> dict[str, object]:
    sentence = SENTENCES[1].format(canary)
    return {
        "a word": canary,
        "a sentence": sentence,
        "a key": key("anthropic-api", canary),
        "a list": [canary, sentence],
        "an object": {"text": sentence},
    }


def _with(record: Json, path: Sequence[str], value: object) -> Json:
    """Return a record with a value at a path."""
    name, *rest = path
    if rest:
        inner = record.get(name)
        value = _with(inner if isinstance(inner, dict) else {}, rest, value)
    return {**record, name: value}


def _lines(records: Sequence[Json]) -> bytes:
    return b"\n".join(text(record) for record in records)


def _record(kit: Kit) -> Json:
    """Return a good record of LiteLLM, of a call that began just now."""
    good, started_s = kit.event(), kit.now_ms / 1_000
    return {
        "id": f"chatcmpl-{good['event_id']}", "call_type": "acompletion", "status": "success", "stream": None,
        "custom_llm_provider": good["provider"], "model": good["routed_model"], "model_group": good["requested_model"],
        "startTime": started_s, "endTime": started_s + 0.84, "completionStartTime": started_s, "response_time": 0.84,
        "response_cost": 0.00177, "prompt_tokens": 812, "completion_tokens": 96, "messages": None, "response": None,
        "metadata": {"usage_object": {"prompt_tokens_details": {"cached_tokens": 12}}}, "hidden_params": {},
    }  # fmt: skip


def _event(kit: Kit) -> Json:
    """Return a good CloudEvent."""
    good = kit.event()
    return {
        "specversion": "1.0", "type": "litellm_tokens", "id": good["event_id"], "source": "litellm-proxy",
        "time": datetime.fromtimestamp(kit.now_ms / 1_000, UTC).isoformat(),
        "data": {"model": good["routed_model"], "cost": 0.00177, "prompt_tokens": 812, "completion_tokens": 96},
    }  # fmt: skip
