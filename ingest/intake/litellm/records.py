"""Reads a record of LiteLLM, a StandardLoggingPayload, into an event of the contract, by allow-list.

Which member becomes which field is in docs/litellm.md; whether a record carries content, `content` says.
"""

from collections.abc import Sequence

import msgspec
from msgspec import Raw, Struct, field

from ingest.intake import projection
from ingest.intake.projection import Projected
from schema.event import Kind, StopReason
from schema.limits import TAGS_MAX
from schema.vocabulary import UNKNOWN, Vocabulary

_Number = int | float | None


class _CacheCreation(Struct):
    ephemeral_1h_input_tokens: _Number = None


class _Prompt(Struct):
    cached_tokens: _Number = None
    cache_creation_tokens: _Number = None
    cache_creation_token_details: _CacheCreation | None = None


class _Completion(Struct):
    reasoning_tokens: _Number = None


class _Usage(Struct):
    cache_read_input_tokens: _Number = None
    cache_creation_input_tokens: _Number = None
    prompt_tokens_details: _Prompt | None = None
    completion_tokens_details: _Completion | None = None


class _Routing(Struct):
    request_type: str | None = None
    tier_label: str | None = None
    escalated: bool | None = None


class _Metadata(Struct):
    usage_object: _Usage | None = None
    routing_decision: _Routing | None = None


class _Attempts(Struct):
    retries: _Number = field(name="x-litellm-attempted-retries", default=None)
    fallbacks: _Number = field(name="x-litellm-attempted-fallbacks", default=None)


class _Hidden(Struct):
    litellm_model_name: str | None = None
    additional_headers: _Attempts | None = None


class _Error(Struct):
    error_code: str | int | None = None
    error_class: str | None = None


class _Savings(Struct):
    status: str | None = None


class _Choice(Struct):
    finish_reason: str | None = None


class _Answer(Struct):
    choices: list[_Choice] | None = None


class _Record(Struct):
    started_s: float = field(name="startTime")
    ended_s: float | None = field(name="endTime", default=None)
    first_token_s: float | None = field(name="completionStartTime", default=None)
    response_s: float | None = field(name="response_time", default=None)
    id: str | None = None
    litellm_call_id: str | None = None
    status: str | None = None
    stream: bool | None = None
    cache_hit: bool | None = None
    custom_llm_provider: str | None = None
    model: str | None = None
    model_group: str | None = None
    prompt_tokens: _Number = None
    completion_tokens: _Number = None
    response_cost: _Number = None
    autorouter_savings: _Number = None
    autorouter_savings_estimate: _Savings | None = None
    request_tags: list[str] | None = None
    metadata: _Metadata | None = None
    hidden_params: _Hidden | None = None
    error_information: _Error | None = None
    response: Raw = Raw(b"null")


_record = msgspec.json.Decoder(_Record)
_answer = msgspec.json.Decoder(_Answer)


def project(raw: Raw, vocabulary: Vocabulary) -> Projected:
    """Return the event of a record; raises a msgspec error if a member that is read has the wrong type, or is missing.

    A task category or tag that is not registered is left out: LiteLLM's users and routers choose those freely.
    """
    record = _record.decode(raw)
    identity = record.id or record.litellm_call_id
    if identity is None or not projection.is_identity(identity):
        raise msgspec.ValidationError
    metadata, hidden = record.metadata or _Metadata(), record.hidden_params or _Hidden()
    attempts, usage = hidden.additional_headers or _Attempts(), metadata.usage_object or _Usage()
    routing, error = metadata.routing_decision or _Routing(), record.error_information or _Error()
    tokens, latency_ms = _tokens(record, usage), _latency_ms(record)
    http_status = projection.http_status_of(str(error.error_code or ""))
    routed = record.model or hidden.litellm_model_name or ""
    routed = routed.removeprefix(f"{record.custom_llm_provider}/")
    return Projected(
        event_id=projection.event_id(int(record.started_s * 1_000), f"ll:{identity}"),
        task_category=_task_category(routing, vocabulary),
        provider=projection.term(record.custom_llm_provider or UNKNOWN),
        requested_model=projection.term(record.model_group or routed),
        routed_model=projection.term(routed),
        input_tokens=tokens.input_tokens,
        output_tokens=_count(record.completion_tokens),
        cache_read_tokens=tokens.cache_read_tokens,
        cache_write_5m_tokens=tokens.cache_write_5m_tokens,
        cache_write_1h_tokens=tokens.cache_write_1h_tokens,
        reasoning_tokens=_count((usage.completion_tokens_details or _Completion()).reasoning_tokens),
        cost_nanousd=None if record.response_cost is None else projection.nano_usd(record.response_cost),
        baseline_cost_nanousd=_baseline(record),
        latency_ms=latency_ms,
        ttft_ms=_ttft_ms(record, latency_ms),
        status=projection.status(record.status != "success", http_status, error.error_class or ""),
        http_status=http_status,
        stop_reason=_stop_reason(record.response),
        streamed=record.stream is True,
        cached=record.cache_hit is True,
        fallback=_count(attempts.fallbacks) > 0,
        retried=_count(attempts.retries) > 0,
        escalated=routing.escalated is True,
        tags=_tags(record.request_tags or (), vocabulary),
    )


def _count(value: _Number) -> int:
    return int(value) if value is not None else 0


def _tokens(record: _Record, usage: _Usage) -> projection.Tokens:
    """LiteLLM's prompt tokens include those read from and written to a cache."""
    details = usage.prompt_tokens_details or _Prompt()
    read = usage.cache_read_input_tokens
    written = usage.cache_creation_input_tokens
    return projection.disjoint(
        _count(record.prompt_tokens),
        _count(details.cached_tokens if read is None else read),
        _count(details.cache_creation_tokens if written is None else written),
        _count((details.cache_creation_token_details or _CacheCreation()).ephemeral_1h_input_tokens),
    )


def _latency_ms(record: _Record) -> int:
    """Of a stream LiteLLM's response time ends with the first token."""
    whole_s = record.ended_s - record.started_s if record.ended_s is not None else record.response_s
    seconds = whole_s if record.stream or record.response_s is None else record.response_s
    return projection.milliseconds(seconds or 0.0) or 0


def _ttft_ms(record: _Record, latency_ms: int) -> int | None:
    if not record.stream or record.first_token_s is None:
        return None
    return projection.ttft_ms(record.first_token_s - record.started_s, latency_ms)


def _baseline(record: _Record) -> int | None:
    """Return what the model that was asked for would have cost, if LiteLLM's router has estimated it."""
    estimate = record.autorouter_savings_estimate
    if estimate is None or estimate.status != "estimated" or record.response_cost is None:
        return None
    return projection.nano_usd(record.response_cost + (record.autorouter_savings or 0.0))


def _stop_reason(response: Raw) -> StopReason | None:
    try:
        choices = _answer.decode(response).choices
    except msgspec.MsgspecError:
        return None  # A redacted answer may be a sentinel alone.
    return projection.stop_reason(choices[0].finish_reason or "") if choices else None


def _task_category(routing: _Routing, vocabulary: Vocabulary) -> str:
    terms = vocabulary.kinds[Kind.TASK_CATEGORY]
    for name in (routing.request_type, routing.tier_label):
        if name is not None and terms.find(name.lower()) is not None:
            return name.lower()
    return UNKNOWN


def _tags(given: Sequence[str], vocabulary: Vocabulary) -> projection.Tags:
    """Return the tags `key:value` or `key=value` whose key is declared and whose value is registered."""
    found: dict[str, str] = {}
    for tag in given:
        key, _, value = tag.partition("=" if ":" not in tag else ":")
        if value in vocabulary.tag_values.get(vocabulary.tag_keys.get(key, 0), {}) and len(found) < TAGS_MAX:
            found[key] = value
    return projection.tags(found)
