"""Checks an event before it is queued: what breaks a rule here never leaves the process, nor is any of it kept."""

import re
from collections.abc import Iterator
from operator import attrgetter
from typing import NamedTuple

from nocontent_reporter import contract
from nocontent_reporter.event import Event

VALUE_CHARS_MAX = 2_048  # Of a refused value that is searched for credentials.
TERMS_CACHED_MAX = 4_096  # Terms that passed, by kind: the same few come again and again.
_SENT = "[A-Za-z0-9@~][A-Za-z0-9._:/@+~-]"  # Spellings of terms have another case and other marks, but no space.
# A model id may have parts around the term; the server knows them.
_GRAMMAR = {kind: re.compile(pattern) for kind, pattern in contract.GRAMMAR.items()} | {
    "task_category": re.compile(rf"{_SENT}{{0,{contract.TERM_CHARS_MAX - 1}}}\Z"),
    "provider": re.compile(rf"{_SENT}{{0,{contract.TERM_CHARS_MAX - 1}}}\Z"),
    "model": re.compile(rf"{_SENT}{{0,{contract.MODEL_CHARS_MAX - 1}}}\Z"),
}
_SECRETS = [(rule, re.compile(pattern)) for rule, pattern in contract.SECRETS.items()]
_RULE_OF_NAME = {name: rule for rule, names in contract.NAMES.items() for name in names.split()}
_UUIDV7 = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-7[0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}\Z")
_STATUSES: frozenset[str | None] = frozenset(contract.STATUSES)
_STOP_REASONS: frozenset[str | None] = frozenset([*contract.STOP_REASONS, None])
_LOWEST, _HIGHEST, _ = zip(*contract.INTEGERS.values(), strict=True)
_integers_of = attrgetter(*contract.INTEGERS)
_booleans_of = attrgetter(*contract.BOOLEANS)
_TAG_PARTS = 2  # A pair of key and value.


class Fault(NamedTuple):
    """The rule that an event breaks and the field that breaks it, never the value."""

    rule: str
    field: str


class Checker:
    """Checks events, and remembers the terms that passed."""

    def __init__(self) -> None:
        self.terms = {kind: Terms(kind) for kind in contract.GRAMMAR}

    def forget(self) -> None:
        """Forget the terms that passed; they are checked again."""
        for terms in self.terms.values():
            terms.passed = set()

    def fault(self, event: Event) -> Fault | None:
        """Return the first rule that an event breaks, or None."""
        if type(event) is not Event:  # A mock's `__class__` is what it stands for.
            return Fault("shape.wrong-type", "*")
        return (
            self._fault_of_terms(event)
            or _fault_of_integers(event)
            or _fault_of_words(event)
            or self._fault_of_tags(event.tags)
        )

    def _fault_of_terms(self, event: Event) -> Fault | None:
        for field, kind, term in (
            ("task_category", "task_category", event.task_category),
            ("provider", "provider", event.provider),
            ("requested_model", "model", event.requested_model),
            ("routed_model", "model", event.routed_model),
        ):
            if (rule := self.terms[kind].fault(term)) is not None:
                return Fault(rule, field)
        return None

    def _fault_of_tags(self, tags: object) -> Fault | None:
        if tags == ():
            return None
        if not isinstance(tags, tuple) or not all(map(_is_pair, tags)):
            return Fault("shape.wrong-type", "tags")
        if len(tags) > contract.TAGS_MAX:
            return Fault("size.too-many-tags", "tags")
        keys, values = self.terms["tag_key"], self.terms["tag_value"]
        for key, value in tags:
            if (rule := keys.fault(key) or values.fault(value)) is not None:
                return Fault(rule, "tags")
        return Fault("shape.duplicate-key", "tags") if len({key for key, _ in tags}) < len(tags) else None


def _is_pair(tag: object) -> bool:
    return isinstance(tag, tuple) and len(tag) == _TAG_PARTS


class Terms:
    """The terms of one kind that passed."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self.passed: set[str] = set()

    def fault(self, term: object) -> str | None:
        """Return the id of the rule that a term breaks, or None; only terms that pass are remembered."""
        if not isinstance(term, str) or term.__class__ is not str:  # A str Enum has a hash of its own.
            return "shape.wrong-type"
        if term in self.passed:
            return None
        rule = _fault_of_term(self._kind, term)
        if rule is None:
            if len(self.passed) >= TERMS_CACHED_MAX:
                self.passed = set()
            self.passed.add(term)
        return rule


def _fault_of_term(kind: str, term: str) -> str | None:
    if not _GRAMMAR[kind].match(term):
        return next(_secrets(term[:VALUE_CHARS_MAX]), "vocabulary.bad-term")
    named = rule_of_name(term) if kind == "tag_key" else None
    return named or next(_secrets(term), None)


def rule_of_name(name: str) -> str | None:
    """Return the rule that a name breaks because it names content or a credential, or None."""
    return _RULE_OF_NAME.get(re.sub(r"[^a-z0-9]", "", name.lower()))


def _secrets(value: str) -> Iterator[str]:
    return (rule for rule, pattern in _SECRETS if pattern.search(value))


def _fault_of_integers(event: Event) -> Fault | None:
    values = _integers_of(event)
    for place, (value, lowest, highest) in enumerate(zip(values, _LOWEST, _HIGHEST, strict=True)):
        if type(value) is int and lowest <= value <= highest:
            continue  # Nearly always.
        if (fault := _fault_of_integer(value, tuple(contract.INTEGERS)[place])) is not None:
            return fault
    if event.reasoning_tokens > event.output_tokens:
        return Fault("shape.inconsistent", "reasoning_tokens")
    if event.ttft_ms is not None and event.ttft_ms > event.latency_ms:
        return Fault("shape.inconsistent", "ttft_ms")
    return None


def _fault_of_integer(value: object, field: str) -> Fault | None:
    lowest, highest, is_nullable = contract.INTEGERS[field]
    if isinstance(value, int) and value.__class__ is not bool:
        return None if lowest <= value <= highest else Fault("shape.out-of-range", field)
    return None if value is None and is_nullable else Fault("shape.wrong-type", field)


def _fault_of_words(event: Event) -> Fault | None:
    values = _booleans_of(event)
    if {*map(type, values)} != {bool}:
        return Fault(
            "shape.wrong-type",
            next(field for value, field in zip(values, contract.BOOLEANS, strict=True) if type(value) is not bool),
        )
    if not _is_among(event.status, _STATUSES):
        return Fault("shape.unknown-value", "status")
    if not _is_among(event.stop_reason, _STOP_REASONS):
        return Fault("shape.unknown-value", "stop_reason")
    if event.event_id.__class__ is not str or not _UUIDV7.match(event.event_id):
        return Fault("shape.not-a-uuidv7", "event_id")
    return None


def _is_among(word: object, words: frozenset[str | None]) -> bool:
    return (word is None or type(word) is str) and word in words  # Of another type, it may not be hashable.
