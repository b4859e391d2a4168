"""Reads an event from what LiteLLM tells a logger of a call, by allow-list; nothing else of it is touched.

The record is LiteLLM's StandardLoggingPayload. Its ids become ours as the server's own door for LiteLLM makes them, so
that a call which both report is stored once.
"""

import hashlib
import math
import uuid
from collections.abc import Iterator, Mapping, Sequence

from nocontent_reporter import contract, stop_reasons
from nocontent_reporter.event import Event, Status, StopReason, Tags
from nocontent_reporter.settings import Settings
from nocontent_reporter.usage import Tokens

_NANO = 1_000_000_000
_STATUS_OF_CODE: Mapping[int, Status] = {
    408: "timeout",
    429: "rate_limited",
    499: "cancelled",
    504: "timeout",
    524: "timeout",
}
_STATUS_OF_ERROR: Mapping[str, Status] = {
    "Timeout": "timeout",
    "APITimeoutError": "timeout",
    "RateLimitError": "rate_limited",
    "ContentPolicyViolationError": "refused",
    "CancelledError": "cancelled",
}


class Unreadable(Exception):
    """The record has no start or no identity: it is not LiteLLM's."""


def event(record: object, answer: object, wanted: Settings) -> Event:
    """Return the event of a call; `answer` is what the proxy answers. Raises Unreadable."""
    provider = _text(record, "custom_llm_provider") or "unknown"
    routed = (_text(record, "model") or _text(record, "hidden_params.litellm_model_name") or "unknown").removeprefix(
        f"{provider}/"
    )
    latency_ms, http_status = _latency_ms(record), _http_status(record)
    return Event(
        **_tokens(record),
        event_id=_event_id(record),
        task_category=_task_category(record, wanted.task_categories),
        provider=provider,
        requested_model=_text(record, "model_group") or routed,
        routed_model=routed,
        cost_nanousd=_cost(record),
        baseline_cost_nanousd=_baseline(record),
        latency_ms=latency_ms,
        ttft_ms=_ttft_ms(record, latency_ms),
        status=_status(record, http_status),
        http_status=http_status,
        stop_reason=_stop_reason(answer),
        streamed=member(record, "stream") is True,
        cached=member(record, "cache_hit") is True,
        fallback=_count(record, "hidden_params.additional_headers.x-litellm-attempted-fallbacks") > 0,
        retried=_count(record, "hidden_params.additional_headers.x-litellm-attempted-retries") > 0,
        escalated=member(record, "metadata.routing_decision.escalated") is True,
        tags=_tags(record, wanted.tag_keys),
    )


def member(found: object, path: str) -> object:
    """Return what is at a path of names, in objects or dicts; None if it is absent."""
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else getattr(found, name, None)
    return found


def _text(record: object, path: str) -> str | None:
    found = member(record, path)
    return found if isinstance(found, str) and found else None


def _number(record: object, path: str) -> float | None:
    found = member(record, path)
    is_number = isinstance(found, (int, float)) and not isinstance(found, bool) and math.isfinite(found)
    return found if is_number else None  # type: ignore[return-value]  # Checked in the line above.


def _count(record: object, *paths: str) -> int:
    """Return the first number at the paths that is there, at least 0."""
    found = (_number(record, path) for path in paths)
    return max(0, int(next((number for number in found if number is not None), 0)))


def _event_id(record: object) -> str:
    started_s, identity = _number(record, "startTime"), _text(record, "id") or _text(record, "litellm_call_id")
    if started_s is None or identity is None:
        raise Unreadable
    digest = hashlib.sha256(f"ll:{identity}".encode("utf-8", "surrogatepass")).digest()
    number = min(max(int(started_s * 1_000), 0), 2**48 - 1) << 80 | int.from_bytes(digest[:10], "big")
    return str(uuid.UUID(int=number & ~(0xF << 76) & ~(0x3 << 62) | 0x7 << 76 | 0x2 << 62))


def _tokens(record: object) -> Tokens:
    """LiteLLM's prompt tokens include those read from and written to a cache; its completion includes reasoning."""
    used = "metadata.usage_object"
    prompt = f"{used}.prompt_tokens_details"
    whole = _count(record, "prompt_tokens")
    read = _count(record, f"{used}.cache_read_input_tokens", f"{prompt}.cached_tokens")
    written = _count(record, f"{used}.cache_creation_input_tokens", f"{prompt}.cache_creation_tokens")
    written_1h = _count(record, f"{prompt}.cache_creation_token_details.ephemeral_1h_input_tokens")
    output = _count(record, "completion_tokens")
    parts = read + written
    return Tokens(
        input_tokens=whole - parts if parts <= whole else whole,  # If they exceed it, it did not include them.
        output_tokens=output,
        cache_read_tokens=read,
        cache_write_5m_tokens=max(0, written - written_1h),
        cache_write_1h_tokens=written_1h,
        reasoning_tokens=min(output, _count(record, f"{used}.completion_tokens_details.reasoning_tokens")),
    )


def _cost(record: object) -> int | None:
    cost_usd = _cost_usd(record)
    return None if cost_usd is None else round(cost_usd * _NANO)


def _cost_usd(record: object) -> float | None:
    """Return the cost; LiteLLM writes 0 for one that it could not compute, and beside it why."""
    cost_usd = _number(record, "response_cost")
    is_unknown = member(record, "response_cost_failure_debug_info") is not None
    return None if is_unknown or cost_usd is None or cost_usd < 0 else cost_usd


def _baseline(record: object) -> int | None:
    """Return what the model that was asked for would have cost, if LiteLLM's router has estimated it."""
    cost_usd, saved_usd = _cost_usd(record), _number(record, "autorouter_savings") or 0.0
    if cost_usd is None or _text(record, "autorouter_savings_estimate.status") != "estimated":
        return None
    return max(0, round((cost_usd + saved_usd) * _NANO))


def _latency_ms(record: object) -> int:
    """Of a stream, LiteLLM's response time ends with the first token."""
    started_s, ended_s = _number(record, "startTime"), _number(record, "endTime")
    whole_s = ended_s - started_s if started_s is not None and ended_s is not None else None
    response_s = _number(record, "response_time")
    seconds = whole_s if member(record, "stream") is True or response_s is None else response_s
    return max(0, round((seconds or 0.0) * 1_000))


def _ttft_ms(record: object, latency_ms: int) -> int | None:
    started_s, first_s = _number(record, "startTime"), _number(record, "completionStartTime")
    if member(record, "stream") is not True or started_s is None or first_s is None:
        return None
    ttft_ms = round((first_s - started_s) * 1_000)
    return ttft_ms if 0 <= ttft_ms <= latency_ms else None


def _http_status(record: object) -> int | None:
    code = str(member(record, "error_information.error_code") or "")
    lowest, highest, _ = contract.INTEGERS["http_status"]
    return int(code) if code.isascii() and code.isdecimal() and lowest <= int(code[:9]) <= highest else None


def _status(record: object, http_status: int | None) -> Status:
    if member(record, "status") == "success":
        return "ok"
    if http_status is not None and http_status in _STATUS_OF_CODE:
        return _STATUS_OF_CODE[http_status]
    error = _text(record, "error_information.error_class") or ""
    return _STATUS_OF_ERROR.get(error.rpartition(".")[2], "error")


def _stop_reason(answer: object) -> StopReason | None:
    choices = member(answer, "choices")
    if isinstance(choices, Sequence) and choices:
        return stop_reasons.openai(member(choices[0], "finish_reason"))
    return stop_reasons.anthropic(member(answer, "stop_reason"))


def _task_category(record: object, allowed: frozenset[str]) -> str:
    """Return the router's word for the request, if it may be sent."""
    decided = (_text(record, f"metadata.routing_decision.{name}") for name in ("request_type", "tier_label"))
    return next((word.lower() for word in decided if word and word.lower() in allowed), "unknown")


def _tags(record: object, keys: frozenset[str]) -> Tags:
    """Return the caller's tags `key:value` or `key=value` whose key may be sent, the first of each key."""
    found: dict[str, str] = {}
    for key, value in _pairs(member(record, "request_tags")):
        if key in keys and len(found) < contract.TAGS_MAX:
            found.setdefault(key, value)
    return tuple(sorted(found.items()))


def _pairs(tags: object) -> Iterator[tuple[str, str]]:
    for tag in tags if isinstance(tags, Sequence) else ():
        if isinstance(tag, str):
            key, _, value = tag.partition(":" if ":" in tag else "=")
            yield key, value
