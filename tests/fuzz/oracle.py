"""The contract, implemented a second time, plainly and slowly, with the standard library.

It shares bounds, terms, and how an id is spelled, which `tests/properties/test_composition.py` holds by itself.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import NamedTuple
from uuid import UUID

from schema import limits
from schema.composition import aliases, bases, form_of
from schema.decode import Window
from schema.event import Kind

_STATUS = {"ok", "error", "timeout", "rate_limited", "cancelled", "refused"}
_STOP = {
    "end_turn", "max_tokens", "stop_sequence", "tool_use", "content_filter", "pause_turn", "context_window", "other",
}  # fmt: skip
_INTEGERS = {
    "input_tokens": limits.INPUT_TOKENS_MAX,
    "output_tokens": limits.OUTPUT_TOKENS_MAX,
    "cache_read_tokens": limits.INPUT_TOKENS_MAX,
    "cache_write_5m_tokens": limits.INPUT_TOKENS_MAX,
    "cache_write_1h_tokens": limits.INPUT_TOKENS_MAX,
    "reasoning_tokens": limits.OUTPUT_TOKENS_MAX,
    "cost_nanousd": limits.COST_NANOUSD_MAX,
    "latency_ms": limits.LATENCY_MS_MAX,
}
_NULLABLE = {"baseline_cost_nanousd": limits.COST_NANOUSD_MAX, "ttft_ms": limits.LATENCY_MS_MAX}
_FLAGS = {"streamed", "cached", "fallback", "retried", "escalated"}
_NAMES = {
    *_INTEGERS, *_NULLABLE, *_FLAGS, "event_id", "task_category", "provider", "requested_model", "routed_model",
    "status", "http_status", "stop_reason", "tags",
}  # fmt: skip
_ID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-7[0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}")
_DROPS = {"queue_full", "retries_exhausted", "refused", "shutdown"}


class Words(NamedTuple):
    """The terms that a tenant may send."""

    categories: frozenset[str]
    providers: frozenset[str]
    models: frozenset[str]
    tags: Mapping[str, frozenset[str]]


class _Twice(Exception):
    """A name is repeated in an object."""


def accepts(body: bytes, words: Words, window: Window) -> bool:
    """Return whether a body keeps the contract."""
    try:
        text = body.decode("ascii")
        if "\\" in text:
            return False
        batch = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except (UnicodeDecodeError, json.JSONDecodeError, _Twice, RecursionError, ValueError):
        return False
    return isinstance(batch, dict) and _is_batch(batch, words, window)


def _once(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    if len(dict(pairs)) != len(pairs):
        raise _Twice
    return dict(pairs)


def _no_constant(_name: str) -> object:
    raise ValueError  # NaN and Infinity are Python's, not JSON's.


def _is_batch(batch: Mapping[str, object], words: Words, window: Window) -> bool:
    if not batch.keys() <= {"events", "stream", "dropped"}:
        return False
    if "stream" in batch and not _is_stream(batch["stream"], window):
        return False
    if "dropped" in batch and not _is_dropped(batch["dropped"]):
        return False
    events = batch.get("events", [])
    return (
        isinstance(events, list)
        and len(events) <= limits.EVENTS_MAX
        and (bool(events) or bool(batch.get("dropped") and "stream" in batch))
        and all(_is_event(event, words, window) for event in events)
    )


def _is_stream(stream: object, window: Window) -> bool:
    return (
        isinstance(stream, dict)
        and stream.keys() == {"id", "sequence"}
        and _is_event_id(stream["id"], Window(window.newest_ms - limits.STREAM_MS_MAX, window.newest_ms))
        and _is_integer(stream["sequence"], limits.SEQUENCE_MAX)
    )


def _is_dropped(dropped: object) -> bool:
    return (
        isinstance(dropped, dict)
        and dropped.keys() <= _DROPS
        and all(_is_integer(count, limits.DROPPED_MAX) for count in dropped.values())
    )


def _is_event(event: object, words: Words, window: Window) -> bool:
    return (
        isinstance(event, dict)
        and event.keys() == _NAMES
        and _is_event_id(event["event_id"], window)
        and _has_terms(event, words)
        and all(_is_integer(event[name], most) for name, most in _INTEGERS.items())
        and all(event[name] is None or _is_integer(event[name], most) for name, most in _NULLABLE.items())
        and all(isinstance(event[name], bool) for name in _FLAGS)
        and _has_outcome(event)
        and event["reasoning_tokens"] <= event["output_tokens"]
        and (event["ttft_ms"] is None or event["ttft_ms"] <= event["latency_ms"])
    )


def _is_event_id(value: object, window: Window) -> bool:
    if not isinstance(value, str) or _ID.fullmatch(value) is None:
        return False
    return window.oldest_ms <= UUID(value).int >> 80 <= window.newest_ms


def _has_terms(event: Mapping[str, object], words: Words) -> bool:
    return (
        _is_term(event["task_category"], words.categories, Kind.TASK_CATEGORY)
        and _is_term(event["provider"], words.providers, Kind.PROVIDER)
        and _is_term(event["requested_model"], words.models, Kind.MODEL)
        and _is_term(event["routed_model"], words.models, Kind.MODEL)
        and _are_tags(event["tags"], words.tags)
    )


def _is_term(value: object, terms: frozenset[str], kind: Kind) -> bool:
    if not isinstance(value, str) or value in _strings(terms):
        return isinstance(value, str)
    if len(value) > limits.MODEL_CHARS_MAX:
        return False
    form, known = form_of(value), {form_of(term) for term in terms}
    cut: Iterable[str] = bases(form) if kind is Kind.MODEL else ()
    return any(base in known for base in chain((form, aliases(kind).get(form, "")), cut))


class _strings:  # noqa: N801 (reads as a function)
    """A set in which anything may be looked up, even if it has no hash."""

    def __init__(self, terms: frozenset[str]) -> None:
        self._terms = terms

    def __contains__(self, value: object) -> bool:
        return isinstance(value, str) and (value in self._terms or value == "unknown")


def _are_tags(tags: object, declared: Mapping[str, frozenset[str]]) -> bool:
    return (
        isinstance(tags, dict)
        and len(tags) <= limits.TAGS_MAX
        and all(key in declared and value in _strings(declared[key]) for key, value in tags.items())
    )


def _has_outcome(event: Mapping[str, object]) -> bool:
    status, stop, http = event["status"], event["stop_reason"], event["http_status"]
    return (
        isinstance(status, str)
        and status in _STATUS
        and (stop is None or (isinstance(stop, str) and stop in _STOP))
        and (http is None or (isinstance(http, int) and _is_integer(http, 599) and http >= 100))
    )


def _is_integer(value: object, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most
