"""Judges single values, names and tags of a refused body, and collects the violations with bounded work.

`ingest.intake.explain` decides which parts of the body are examined, and in which order.
"""

import re

from ingest.intake.explain import misfits
from ingest.intake.synonyms import is_nothing
from schema import limits
from schema.decode import Window
from schema.event import Kind, Word
from schema.gauntlet import fault
from schema.learning import Candidate, is_learnable
from schema.rules import Violation, rule_of_name, rule_of_value
from schema.vocabulary import Mode, Vocabulary


class Full(Exception):
    """VIOLATIONS_MAX violations were found."""


TERMS = {
    "task_category": (Kind.TASK_CATEGORY, "vocabulary.unknown-task-category"),
    "provider": (Kind.PROVIDER, "vocabulary.unknown-provider"),
    "requested_model": (Kind.MODEL, "vocabulary.unknown-model"),
    "routed_model": (Kind.MODEL, "vocabulary.unknown-model"),
}
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")
_UUIDV7 = re.compile(r".{14}7.{4}[89abAB]")


class Verdicts:
    """The violations found so far, and the budgets left for reading values and names."""

    def __init__(self, vocabulary: Vocabulary, window: Window) -> None:
        self.vocabulary = vocabulary
        self.window = window
        self.violations: dict[Violation, None] = {}
        self.candidates: set[Candidate] = set()
        self.is_learnable = True
        self.readable_bytes = limits.VALUES_BYTES_MAX
        self.names_left = limits.NAMES_MAX

    def secret(self, value: str) -> str | None:
        """Return the rule for a credential that a value looks like; None if it exceeds the budget for reading."""
        if len(value) > self.readable_bytes:
            return None
        self.readable_bytes -= len(value)
        return rule_of_value(value)

    def found(self, rule: str, pointer: str, use: Word | None = None, *, learnable: bool = False) -> None:
        self.is_learnable &= learnable
        self.violations[Violation(rule, pointer, use)] = None
        if len(self.violations) >= limits.VIOLATIONS_MAX:
            raise Full

    def unknown(self, name: str, raw: bytes, at: str) -> None:
        value = raw[: limits.VALUE_BYTES_MAX].decode("utf-8", "replace")
        other = "shape.unknown-value" if at == "/dropped" else "shape.unknown-field"  # Reasons are a closed list, too.
        self.found(self.secret(value) or rule_of_name(name[:64]) or other, f"{at}/*")

    def field(self, decoder: misfits.Decoder, name: str, raw: bytes, at: str) -> None:
        value = misfits.text(raw)
        if value is not None and name in TERMS:
            self.term(TERMS[name], value, at)
        elif value is not None and name == "event_id":
            self.uuid(value, at, self.window)
        elif value is not None and name == "id":
            newest_ms = self.window.newest_ms
            self.uuid(value, at, Window(newest_ms - limits.STREAM_MS_MAX, newest_ms))
        else:
            self.value(decoder, name, raw, at)

    def value(self, decoder: misfits.Decoder, name: str, raw: bytes, at: str) -> None:
        if not misfits.passes(decoder, raw):
            value = misfits.text(raw)
            secret = self.secret(value) if value else None
            self.found(secret or misfits.shape(decoder, raw), at, None if secret else misfits.word(decoder, name, raw))

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
        if (terms.coarsens and len(term) <= limits.STRING_CHARS_MAX) or terms.find(term) is not None:
            return
        self.unregistered(Candidate(kind, 0, term), rule, at)

    def unregistered(self, candidate: Candidate, rule: str, at: str) -> None:
        use: Word | None = "unknown" if is_nothing(candidate.term) else None
        if self.vocabulary.modes.get(candidate.kind) is not Mode.LEARN:
            self.found(self.secret(candidate.term) or rule, at, use)
        elif is_learnable(candidate.kind, candidate.term):
            self.candidates.add(candidate)
            self.found(rule, at, learnable=True)
        else:
            self.found(fault(candidate.kind, candidate.term) or rule, at, use)

    def tag(self, key: str, raw: bytes, at: str) -> None:
        key_id = self.vocabulary.tag_keys.get(key)
        value = misfits.text(raw)
        if key_id is None:
            read = raw[: limits.VALUE_BYTES_MAX].decode("utf-8", "replace")
            self.found(self.secret(read) or rule_of_name(key[:64]) or "vocabulary.undeclared-tag-key", at)
        elif value is None:
            self.found("shape.wrong-type", at, "unknown" if raw == b"null" else None)
        elif value not in self.vocabulary.tag_values[key_id] and not self.vocabulary.kinds[Kind.TAG_VALUE].coarsens:
            self.unregistered(Candidate(Kind.TAG_VALUE, key_id, value), "vocabulary.unknown-tag-value", at)
