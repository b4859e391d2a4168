"""The contract as the doors of other formats write it: an event in numbers and terms, and a batch of them in columns.

A door reads its own format by allow-list into `Projected`. `Faults` judges each event, so that a wrong one costs the
sender no other; `body` writes the rest for the same gates as anyone's. Nothing here can accept anything.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from itertools import chain
from typing import NamedTuple, TypeVar

import msgspec
from msgspec import Struct

from ingest.intake import synonyms
from schema import ids, limits
from schema.decode import Window
from schema.event import (
    KINDS,
    NUMBERS,
    STRINGS,
    HttpStatus,
    InputTokens,
    Kind,
    Milliseconds,
    NanoUsd,
    OutputTokens,
    Status,
    StopReason,
)
from schema.learning import is_learnable
from schema.rules import Violation
from schema.vocabulary import UNKNOWN, Mode, Vocabulary

_TIME_MS_MAX = 2**48 - 1  # The 48 bits of a UUIDv7.
_NANO = 1_000_000_000
_PLAIN = frozenset(map(chr, range(0x20, 0x7F))) - set('"\\')  # What a string of a body may have: gate 1.
_STATUSES: Mapping[int, Status] = {
    408: "timeout",
    429: "rate_limited",
    499: "cancelled",
    504: "timeout",
    524: "timeout",
}
_STATUS_DIGITS = 3  # RFC 9110, section 15.
_IDENTITY = re.compile(r"[!-~]{1,1024}")
_STATUS_ERROR = 400  # RFC 9110, section 15.5: from here on a status is an error.

_Listed = TypeVar("_Listed")
Tags = tuple[tuple[str, str], ...]  # Sorted by key, so that equal sets are equal.


class Projected(Struct, frozen=True, kw_only=True, gc=False):
    """An event of the contract. Terms are plain strings (`term`); whether they are registered, `Faults` knows."""

    event_id: str
    task_category: str = UNKNOWN
    provider: str = UNKNOWN
    requested_model: str
    routed_model: str
    input_tokens: InputTokens = 0
    output_tokens: OutputTokens = 0
    cache_read_tokens: InputTokens = 0
    cache_write_5m_tokens: InputTokens = 0
    cache_write_1h_tokens: InputTokens = 0
    reasoning_tokens: OutputTokens = 0
    cost_nanousd: NanoUsd | None = None
    baseline_cost_nanousd: NanoUsd | None = None
    latency_ms: Milliseconds
    ttft_ms: Milliseconds | None = None
    status: Status = "ok"
    http_status: HttpStatus | None = None
    stop_reason: StopReason | None = None
    streamed: bool = False
    cached: bool = False
    fallback: bool = False
    retried: bool = False
    escalated: bool = False
    tags: Tags = ()


_FLAGS = frozenset(field.name for field in msgspec.structs.fields(Projected) if field.type is bool)
_NUMBERS = tuple(name for name in NUMBERS if name not in _FLAGS)
_NUMBER_TYPES = {field.name: field.type for field in msgspec.structs.fields(Projected) if field.name in _NUMBERS}


class Tokens(NamedTuple):
    """Input tokens in the contract's disjoint parts."""

    input_tokens: int
    cache_read_tokens: int
    cache_write_5m_tokens: int
    cache_write_1h_tokens: int


def disjoint(whole: int, read: int, written: int, written_1h: int) -> Tokens:
    """Split an input that includes its cache reads and writes; if they exceed it, it did not include them."""
    parts = read + written
    uncached = whole - parts if parts <= whole else whole
    return Tokens(uncached, read, max(0, written - written_1h), written_1h)


def event_id(at_ms: int, identity: str) -> str:
    """Return the UUIDv7 of a time with 74 bits of the SHA-256 of an identity, so that a retry has the same id."""
    digest = sha256(identity.encode("utf-8", "surrogatepass")).digest()
    return str(ids.uuid7(min(max(at_ms, 0), _TIME_MS_MAX), int.from_bytes(digest[:10], "big")))


def term(value: str) -> str:
    """Return a string that a body may have as a term: as it is, or an empty one, which no kind has, if it may not."""
    return value if len(value) <= limits.STRING_CHARS_MAX and _PLAIN.issuperset(value) else ""


def nano_usd(usd: float) -> int | None:
    """Return an amount of USD in units of 10⁻⁹ USD; None if it is negative or not a number: unknown."""
    return round(usd * _NANO) if math.isfinite(usd) and usd >= 0 else None


def milliseconds(seconds: float) -> int | None:
    """Return a duration, rounded; None if it is negative or not a number: unknown."""
    return round(seconds * 1_000) if math.isfinite(seconds) and seconds >= 0 else None


def ttft_ms(seconds: float, latency_ms: int) -> int | None:
    """Return a time to the first token; None if it is longer than the whole: measured otherwise, so unknown."""
    found = milliseconds(seconds)
    return found if found is not None and found <= latency_ms else None


def stop_reason(value: str) -> StopReason | None:
    """Return the contract's word for a provider's stop reason; `other` for one that is not well known."""
    return None if synonyms.is_nothing(value) else synonyms.stop_reason(value)


def http_status(value: int) -> int | None:
    """Return a status code; None for a number that is none, such as 0 for no answer."""
    return value if limits.HTTP_STATUS_MIN <= value <= limits.HTTP_STATUS_MAX else None


def http_status_of(text: str) -> int | None:
    """Return the status code that a text is, or None."""
    return http_status(int(text)) if len(text) == _STATUS_DIGITS and text.isascii() and text.isdecimal() else None


def is_identity(text: str) -> bool:
    """Return whether a text can identify a call: an id has no spaces, and prose has."""
    return _IDENTITY.fullmatch(text) is not None


def status(is_error: bool, code: int | None, error_type: str) -> Status:  # noqa: FBT001 (a fact of the source)
    """Return the outcome of a call, by its HTTP status and the type of its error, such as `openai.RateLimitError`."""
    if code is not None and code in _STATUSES:
        return _STATUSES[code]
    if not is_error and (code is None or code < _STATUS_ERROR):
        return "ok"
    return synonyms.status(error_type.rpartition(".")[2]) or "error"


def tags(values: Mapping[str, str]) -> Tags:
    """Return tags in order; a key or value that no body may have is made empty, which is never registered."""
    return tuple(sorted((term(key), term(value)) for key, value in values.items()))


def words_of(event: Projected) -> list[str]:
    """Return the strings of an event, in the order in which `body` lists them."""
    return [word for name in STRINGS if (word := getattr(event, name)) is not None]


def body(events: Sequence[Projected]) -> bytes:
    """Write a batch in columns: every distinct term and tag set once, in the order of first use."""
    terms = _places(chain.from_iterable(map(words_of, events)))
    tag_sets = _places(event.tags for event in events)
    columns: dict[str, list[object]] = {name: [] for name in Projected.__struct_fields__}
    for event in events:
        for name in ("event_id", *_NUMBERS):
            columns[name].append(getattr(event, name))
        for name in STRINGS:
            word = getattr(event, name)
            columns[name].append(None if word is None else terms[word])
        for name in _FLAGS:
            columns[name].append(int(getattr(event, name)))
        columns["tags"].append(tag_sets[event.tags])
    return msgspec.json.encode(
        {"terms": list(terms), "tag_sets": [dict(each) for each in tag_sets], "columns": columns}
    )


def _places(listed: Iterable[_Listed]) -> dict[_Listed, int]:
    return {each: place for place, each in enumerate(dict.fromkeys(listed))}


class Faults:
    """Judges projected events by a tenant's terms and the window, before the gates do; call `end` after the last."""

    def __init__(self, vocabulary: Vocabulary, window: Window, *, may_learn: bool) -> None:
        self._vocabulary = vocabulary
        self._window = window
        self.may_learn = may_learn
        self._known: dict[tuple[Kind, str, str], str | None] = {}

    def of(self, event: Projected) -> Violation | None:
        """Return the first rule that an event breaks, with the name of the field; None if a gate may accept it."""
        return self._of_shape(event) or self._of_terms(event)

    def implied(self, key: str, value: str) -> str | None:
        """Return the value of a tag that nobody asked for: `unknown` for an unregistered one, None without the key."""
        rule = self._rule_of(Kind.TAG_VALUE, value, key)
        if rule is None:
            return value
        return None if rule == "vocabulary.undeclared-tag-key" else UNKNOWN

    def end(self) -> None:
        self._vocabulary.end_batch()

    def _of_shape(self, event: Projected) -> Violation | None:
        for name, kind in _NUMBER_TYPES.items():
            if not _fits(getattr(event, name), kind):
                return Violation("shape.out-of-range", f"/{name}")
        if event.reasoning_tokens > event.output_tokens:
            return Violation("shape.inconsistent", "/reasoning_tokens")
        if (event.ttft_ms or 0) > event.latency_ms:
            return Violation("shape.inconsistent", "/ttft_ms")
        at_ms = int(event.event_id[:8] + event.event_id[9:13], 16)
        if at_ms < self._window.oldest_ms:
            return Violation("time.too-old", "/event_id")
        return Violation("time.in-future", "/event_id") if at_ms > self._window.newest_ms else None

    def _of_terms(self, event: Projected) -> Violation | None:
        for name, kind in KINDS.items():
            rule = self._rule_of(kind, getattr(event, name))
            if rule is not None:
                return Violation(rule, f"/{name}")
        if len(event.tags) > limits.TAGS_MAX:
            return Violation("size.too-many-tags", "/tags")
        for key, value in event.tags:
            rule = self._rule_of(Kind.TAG_VALUE, value, key)
            if rule is not None:
                return Violation(rule, "/tags/*")
        return None

    def _rule_of(self, kind: Kind, string: str, key: str = "") -> str | None:
        place = kind, string, key
        if place not in self._known:
            self._known[place] = self._look_up(kind, string, key)
        return self._known[place]

    def _look_up(self, kind: Kind, string: str, key: str) -> str | None:
        terms = self._vocabulary.kinds[kind]
        if kind is Kind.TAG_VALUE:
            values = self._vocabulary.tag_values.get(self._vocabulary.tag_keys.get(key, 0))
            if values is None:
                return "vocabulary.undeclared-tag-key"
            if string in values or terms.coarsens:
                return None
        else:
            try:
                terms[string]
            except KeyError:
                pass
            else:
                return None
        if self.may_learn and self._vocabulary.modes.get(kind) is Mode.LEARN and is_learnable(kind, string):
            return None  # The gates refuse it, and validation learns it, if the budget allows.
        return f"vocabulary.unknown-{kind.name.lower().replace('_', '-')}"


def _fits(value: object, kind: object) -> bool:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True
