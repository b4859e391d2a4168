"""Judges single values, names and tags of a refused body, and collects the violations with bounded work.

Which part of the body is looked at, and in which order, is the business of `ingest.explain`.
"""

import re
from typing import Protocol

import msgspec
from msgspec import Raw

from schema import limits
from schema.decode import Window
from schema.event import Dropped, Kind
from schema.gauntlet import fault
from schema.learning import is_learnable
from schema.rules import Violation, rule_of_name, rule_of_value
from schema.vocabulary import Mode, Unlearned, Vocabulary


class Full(Exception):
    """VIOLATIONS_MAX were found."""


class Decoder(Protocol):
    def decode(self, buf: bytes, /) -> object: ...


TERMS = {
    "task_category": (Kind.TASK_CATEGORY, "vocabulary.unknown-task-category"),
    "provider": (Kind.PROVIDER, "vocabulary.unknown-provider"),
    "requested_model": (Kind.MODEL, "vocabulary.unknown-model"),
    "routed_model": (Kind.MODEL, "vocabulary.unknown-model"),
}
_object = msgspec.json.Decoder(dict[str, Raw])
_dropped = msgspec.json.Decoder(Dropped)
_INTEGER = re.compile(rb"-?[0-9]+\Z")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")
_UUIDV7 = re.compile(r".{14}7.{4}[89abAB]")


class Verdicts:
    """What was found so far, and what may still be looked at."""

    def __init__(self, vocabulary: Vocabulary, window: Window) -> None:
        self.vocabulary = vocabulary
        self.window = window
        self.violations: dict[Violation, None] = {}
        self.unlearned: set[Unlearned] = set()
        self.is_learnable = True
        self.readable_bytes = limits.VALUES_BYTES_MAX
        self.names_left = limits.NAMES_MAX

    def secret(self, value: str) -> str | None:
        """Give the rule of a credential that a value looks like, as far as there is room to read it."""
        if len(value) > self.readable_bytes:
            return None
        self.readable_bytes -= len(value)
        return rule_of_value(value)

    def found(self, rule: str, pointer: str, *, learnable: bool = False) -> None:
        self.is_learnable &= learnable
        self.violations[Violation(rule, pointer)] = None
        if len(self.violations) >= limits.VIOLATIONS_MAX:
            raise Full

    def unknown(self, name: str, raw: bytes, at: str) -> None:
        value = raw[: limits.VALUE_BYTES_MAX].decode("utf-8", "replace")
        self.found(self.secret(value) or rule_of_name(name[:64]) or "shape.unknown-field", f"{at}/*")

    def dropped(self, raw: bytes) -> None:
        if raw.count(b":") > limits.NAMES_MAX:
            self.found("size.too-many-names", "/dropped")
        elif not _passes(_dropped, raw):
            self.found(_shape(_dropped, raw, text_of(raw)), "/dropped")
        elif raw.count(b'"') != 2 * len(_object.decode(raw)):
            self.found("shape.duplicate-key", "/dropped")

    def field(self, decoder: Decoder, name: str, raw: bytes, at: str) -> None:
        value = text_of(raw)
        if value is not None and name in TERMS:
            self.term(TERMS[name], value, at)
        elif value is not None and name == "event_id":
            self.uuid(value, at, self.window)
        elif value is not None and name == "id":
            newest_ms = self.window.newest_ms
            self.uuid(value, at, Window(newest_ms - limits.STREAM_MS_MAX, newest_ms))
        elif not _passes(decoder, raw):
            self.found((self.secret(value) if value else None) or _shape(decoder, raw, value), at)

    def uuid(self, value: str, at: str, window: Window) -> None:
        if not _UUID.match(value):
            self.found(self.secret(value) or "shape.not-a-uuid", at)
        elif not _UUIDV7.match(value):
            self.found("shape.not-a-uuidv7", at)
        elif (time_ms := int(value[:8] + value[9:13], 16)) < window.oldest_ms:
            self.found("time.too-old", at)
        elif time_ms > window.newest_ms:
            self.found("time.in-future", at)

    def term(self, kind_and_rule: tuple[Kind, str], term: str, at: str) -> None:
        kind, rule = kind_and_rule
        terms = self.vocabulary.kinds[kind]
        chars_max = limits.MODEL_CHARS_MAX if kind is Kind.MODEL else limits.TERM_CHARS_MAX
        if (terms.coarsens and 0 < len(term) <= chars_max) or terms.find(term) is not None:
            return
        self.unregistered(Unlearned(kind, 0, term), rule, at)

    def unregistered(self, candidate: Unlearned, rule: str, at: str) -> None:
        if self.vocabulary.modes.get(candidate.kind) is not Mode.LEARN:
            self.found(self.secret(candidate.term) or rule, at)
        elif is_learnable(candidate.kind, candidate.term):
            self.unlearned.add(candidate)
            self.found(rule, at, learnable=True)
        else:
            self.found(fault(candidate.kind, candidate.term) or rule, at)

    def tag(self, key: str, raw: bytes, at: str) -> None:
        key_id = self.vocabulary.tag_keys.get(key)
        value = text_of(raw)
        if key_id is None:
            read = raw[: limits.VALUE_BYTES_MAX].decode("utf-8", "replace")
            self.found(self.secret(read) or rule_of_name(key[:64]) or "vocabulary.undeclared-tag-key", at)
        elif value is None:
            self.found("shape.wrong-type", at)
        elif value not in self.vocabulary.tag_values[key_id] and not self.vocabulary.kinds[Kind.TAG_VALUE].coarsens:
            self.unregistered(Unlearned(Kind.TAG_VALUE, key_id, value), "vocabulary.unknown-tag-value", at)


def _passes(decoder: Decoder, raw: bytes) -> bool:
    try:
        decoder.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True


def text_of(raw: bytes) -> str | None:
    """Give a JSON string's contents as written, cut to what the rules read; None if it is no string."""
    if raw[:1] != b'"':
        return None
    return raw[1 : min(len(raw) - 1, 1 + limits.VALUE_BYTES_MAX)].decode("utf-8", "replace")


def _shape(decoder: Decoder, raw: bytes, value: str | None) -> str:
    """Say why a value does not fit: what a field takes is found by offering it one of each."""
    if value is not None:
        takes_words = _passes(decoder, b'"ok"') or _passes(decoder, b'"end_turn"')
        return "shape.unknown-value" if takes_words else "shape.wrong-type"
    takes_integers = _passes(decoder, b"0") or _passes(decoder, b"200")
    is_integer = _INTEGER.match(raw[: limits.VALUE_BYTES_MAX])
    return "shape.out-of-range" if takes_integers and is_integer else "shape.wrong-type"
