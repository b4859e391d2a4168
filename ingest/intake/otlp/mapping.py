"""Maps each field of the contract to attributes, of which the first present counts; docs/otlp.md has the same table."""

from collections.abc import Mapping

_USAGE, _COUNT, _PARTS = "gen_ai.usage", "llm.token_count", "anthropic.usage.cache_creation"
SOURCES: Mapping[str, tuple[str, ...]] = {
    "identity": ("gen_ai.response.id",),
    "operation": ("gen_ai.operation.name", "llm.request.type"),
    "kind": ("openinference.span.kind",),
    "task_category": ("nocontent.task_category",),
    "provider": ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system"),
    "requested_model": ("gen_ai.original.model", "gen_ai.request.model", "llm.request.model_name", "llm.model_name"),
    "routed_model": ("gen_ai.response.model", "llm.response.model_name", "llm.model_name"),
    "input": (f"{_USAGE}.input_tokens", f"{_USAGE}.prompt_tokens", f"{_COUNT}.prompt"),
    "cache_read": (
        f"{_USAGE}.cache_read.input_tokens", f"{_USAGE}.cache_read_input_tokens", f"{_COUNT}.prompt_details.cache_read",
    ),
    "cache_write": (
        f"{_USAGE}.cache_write.input_tokens", f"{_USAGE}.cache_creation.input_tokens",
        f"{_USAGE}.cache_creation_input_tokens", f"{_COUNT}.prompt_details.cache_write",
    ),
    "cache_write_5m": (f"{_PARTS}.ephemeral_5m_input_tokens",),
    "cache_write_1h": (f"{_PARTS}.ephemeral_1h_input_tokens",),
    "output": (f"{_USAGE}.output_tokens", f"{_USAGE}.completion_tokens", f"{_COUNT}.completion"),
    "reasoning": (
        f"{_USAGE}.reasoning.output_tokens", f"{_USAGE}.reasoning_tokens", f"{_COUNT}.completion_details.reasoning",
    ),
    "cost_nanousd": ("nocontent.cost_nanousd",),
    "cost_usd": (
        f"{_USAGE}.cost", "gen_ai.cost.total_cost", "operation.cost", "llm.cost.total", "agw.ai.usage.cost.total",
    ),
    "baseline_cost_nanousd": ("nocontent.baseline_cost_nanousd",),
    "latency_s": ("gen_ai.latency.e2e",),
    "ttft_s": (
        "gen_ai.response.time_to_first_chunk", "agw.ai.time_to_first_token", "gen_ai.latency.time_to_first_token",
    ),
    "error_type": ("error.type", "exception.type"),
    "http_status": ("http.response.status_code", "http.status_code"),
    "stop_reason": ("gen_ai.response.finish_reasons", "anthropic.message.stop_reason", "llm.finish_reason"),
    "streamed": ("gen_ai.request.stream", "gen_ai.is_streaming", "llm.is_streaming"),
    "cached": ("nocontent.cached",),
    "fallback": ("nocontent.fallback",),
    "retried": ("nocontent.retried",),
    "escalated": ("nocontent.escalated",),
}  # fmt: skip
# LiteLLM's own spans have the routed model for the requested one, and its alias for the answer's.
LITELLM_SCOPE = "litellm"
LITELLM: Mapping[str, tuple[str, ...]] = {
    "requested_model": ("litellm.model_group", "gen_ai.request.model"),
    "routed_model": ("litellm.provider.model", "gen_ai.request.model"),
}
# Claude Code's log records, by the name of their event.
CLAUDE_CODE_EVENTS: Mapping[str, str] = {"claude_code.api_request": "ok", "claude_code.api_error": "error"}
CLAUDE_CODE: Mapping[str, tuple[str, ...]] = {
    "identity": ("request_id",),
    "session": ("session.id",),
    "sequence": ("event.sequence",),
    "requested_model": ("model",),
    "input": ("input_tokens",),
    "cache_read": ("cache_read_tokens",),
    "cache_write": ("cache_creation_tokens",),
    "output": ("output_tokens",),
    "cost_micros": ("cost_usd_micros",),
    "cost_usd": ("cost_usd",),
    "duration_ms": ("duration_ms",),
    "http_status": ("status_code",),
    "attempt": ("attempt",),
}
# Hashed into the event's id, so nothing refuses a sentence but a look at them.
IDENTITIES = frozenset({"gen_ai.response.id", "request_id", "session.id", "event.sequence"})
TAG_PREFIX = "nocontent.tag."  # Of attributes of a record or a resource.
# Attributes of a resource, with the tag key for them; used if the tenant has declared the key.
RESOURCE_TAGS: Mapping[str, str] = {
    "service.name": "service",
    "service.version": "version",
    "deployment.environment.name": "environment",
    "deployment.environment": "environment",
}
MAPPED = frozenset(
    {name for table in (SOURCES, LITELLM, CLAUDE_CODE) for names in table.values() for name in names} | {"event.name"}
)
# Operations and kinds of OpenInference that are no call of a model; a span without a model is none either.
OTHER_OPERATIONS = frozenset(
    "create_agent create_memory_store execute_tool invoke_agent invoke_workflow plan retrieval".split()
)
CALL_KINDS = frozenset({"LLM", "EMBEDDING"})
