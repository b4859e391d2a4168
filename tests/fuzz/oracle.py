"""The contract, implemented a second time, plainly and slowly, with the standard library.

It shares bounds, terms, and how an id is spelled, which `tests/properties/test_composition.py` holds by itself.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import chain
from uuid import UUID

from schema import limits
from schema.composition import aliases, bases, form_of
from schema.decode import Window
from schema.event import Kind
from schema.vocabulary import shipped_terms
from tests.support.customers import TAGS

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
    "latency_ms": limits.LATENCY_MS_MAX,
}
_NULLABLE = {
    "cost_nanousd": limits.COST_NANOUSD_MAX,
    "baseline_cost_nanousd": limits.COST_NANOUSD_MAX,
    "ttft_ms": limits.LATENCY_MS_MAX,
}
_FLAGS = {"streamed", "cached", "fallback", "retried", "escalated"}
_NAMES = {
    *_INTEGERS, *_NULLABLE, *_FLAGS, "event_id", "task_category", "provider", "requested_model", "routed_model",
    "status", "http_status", "stop_reason", "tags",
}  # fmt: skip
_STRINGS = {"task_category", "provider", "requested_model", "routed_model", "status", "stop_reason"}
_LISTS = {"terms", "tag_sets", "columns"}
_ID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-7[0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}")
_TERMS = {kind: frozenset(shipped_terms(kind)) for kind in (Kind.TASK_CATEGORY, Kind.PROVIDER, Kind.MODEL)}
_DROPS = {"queue_full", "retries_exhausted", "refused", "shutdown"}


class _Twice(Exception):
    """A name is repeated in an object."""


def accepts(body: bytes, window: Window) -> bool:
    """Return whether a body of a prepared tenant keeps the contract."""
    try:
        text = body.decode("ascii")
        if "\\" in text:
            return False
        batch = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except (UnicodeDecodeError, json.JSONDecodeError, _Twice, RecursionError, ValueError):
        return False
    return isinstance(batch, dict) and _is_batch(batch, window) and _lists_tag_sets_once(text)


def _once(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    if len(dict(pairs)) != len(pairs):
        raise _Twice
    return dict(pairs)


def _lists_tag_sets_once(text: str) -> bool:
    """Return whether no two tag sets of a batch, good otherwise, are written alike."""
    written = re.findall(r"\{[^{}]*\}", "".join(re.findall(r'"tag_sets"\s*:\s*\[([^\]]*)\]', text)))
    return len(written) == len(set(written))


def _no_constant(_name: str) -> object:
    raise ValueError  # NaN and Infinity are Python's, not JSON's.


def _is_batch(batch: Mapping[str, object], window: Window) -> bool:
    if batch.keys() & _LISTS:
        rows = _rows(batch)
        return rows is not None and bool(rows["events"]) and _is_batch(rows, window)
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
        and all(_is_event(event, window) for event in events)
    )


def _rows(batch: Mapping[str, object]) -> dict[str, object] | None:
    """Return the same batch in rows; None if its columns and lists do not fit together."""
    terms, tag_sets, columns = batch.get("terms"), batch.get("tag_sets"), batch.get("columns")
    if "events" in batch or not (isinstance(terms, list) and isinstance(tag_sets, list) and isinstance(columns, dict)):
        return None
    if not _are_lists(columns) or not all(isinstance(term, str) for term in terms) or len(set(terms)) < len(terms):
        return None
    used: tuple[set[int], set[int]] = (set(), set())

    def value(name: str, item: object) -> object:
        if name in _FLAGS:
            return item == 1 if item in (0, 1) and type(item) is int else None
        if name == "tags":
            return _at(tag_sets, item, used[1])
        return item if name not in _STRINGS or (name, item) == ("stop_reason", None) else _at(terms, item, used[0])

    rows = zip(*columns.values(), strict=True)
    events = [{name: value(name, item) for name, item in zip(columns, row, strict=True)} for row in rows]
    if used != (set(range(len(terms))), set(range(len(tag_sets)))):
        return None
    return {name: kept for name, kept in batch.items() if name not in _LISTS} | {"events": events}


def _are_lists(columns: Mapping[str, object]) -> bool:
    lists = [column for column in columns.values() if isinstance(column, list)]
    return columns.keys() == _NAMES and len(lists) == len(columns) and len(set(map(len, lists))) == 1


def _at(listed: Sequence[object], place: object, used: set[int]) -> object:
    """Return what a place stands for; False, which no field takes that has places, if it is not one."""
    if not isinstance(place, int) or isinstance(place, bool) or not 0 <= place < len(listed):
        return False
    used.add(place)
    return listed[place]


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


def _is_event(event: object, window: Window) -> bool:
    return (
        isinstance(event, dict)
        and event.keys() == _NAMES
        and _is_event_id(event["event_id"], window)
        and _has_terms(event)
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


def _has_terms(event: Mapping[str, object]) -> bool:
    return (
        _is_term(event["task_category"], Kind.TASK_CATEGORY)
        and _is_term(event["provider"], Kind.PROVIDER)
        and _is_term(event["requested_model"], Kind.MODEL)
        and _is_term(event["routed_model"], Kind.MODEL)
        and _are_tags(event["tags"])
    )


def _is_term(value: object, kind: Kind) -> bool:
    if not isinstance(value, str):
        return False
    if value == "unknown" or value in _TERMS[kind]:
        return True
    if len(value) > limits.MODEL_CHARS_MAX:
        return False
    form = form_of(value)
    cut: Iterable[str] = bases(form) if kind is Kind.MODEL else ()
    return any(base in _forms(kind) for base in chain((form, aliases(kind).get(form, "")), cut))


@cache
def _forms(kind: Kind) -> set[str]:
    return {form_of(term) for term in _TERMS[kind]}


def _are_tags(tags: object) -> bool:
    return (
        isinstance(tags, dict)
        and len(tags) <= limits.TAGS_MAX
        and all(key in TAGS and value in (*TAGS[key], "unknown") for key, value in tags.items())
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
