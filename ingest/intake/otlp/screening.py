"""Screens attributes: content, credentials and keys that nobody knows refuse the request, and free text its record.

A verdict depends on key and value alone, and most attributes of a request recur, so each distinct one is judged once.
"""

import re
from typing import NamedTuple

from ingest.intake.otlp.mapping import IDENTITIES, MAPPED, RESOURCE_TAGS, TAG_PREFIX
from ingest.intake.otlp.messages import ReadAttribute, Unread, Value, too_large
from ingest.intake.otlp.names import (
    CONTENT,
    CONTEXT_NAMES,
    EXACT,
    EXCEPT,
    FREE_TEXT_NAMES,
    NAME_RULES,
    NAMESPACES,
    REDACTED,
    TITLES,
    above,
)
from schema.limits import VALUE_BYTES_MAX
from schema.rules import rule_of_name, rule_of_value

ATTRIBUTES_MAX = 300_000  # Of one request: 60 for each of EVENTS_MAX.
DECODED_MAX = 100_000  # Of them, those that were not seen before.
KEPT_MAX = 20_000  # Verdicts: of more, some may be decoded again.
_SEEN_US, _NEW_US, _BYTE_US = 0.5, 20.0, 0.3  # What judging an attribute takes, about.
KEY_CHARS_MAX = 256  # No key of a table is as long.
_NAME = re.compile(r"[A-Za-z0-9._:/@+-]{0,128}\Z")  # What a number or an identifier may be written with; no prose.
_ANY = "*"


class Verdict(NamedTuple):
    """The verdict on one attribute; `rule` refuses the request, `free_text` the record. `name` may be quoted."""

    key: str
    value: Value
    rule: str | None = None
    name: str = _ANY
    free_text: str | None = None
    context: str | None = None
    is_mapped: bool = False


class Screen:
    """Judges the attributes of one request; `spent_us` is about the time that it took."""

    def __init__(self, read: ReadAttribute) -> None:
        self._read = read
        self._known: dict[bytes, Verdict] = {}
        self._left = ATTRIBUTES_MAX
        self._new_left = DECODED_MAX
        self.spent_us = 0.0

    def judge(self, encoded: bytes) -> Verdict:
        """Judge an attribute; raises Malformed, and Rejected if the request has too many."""
        self._left -= 1
        self.spent_us += _SEEN_US
        known = self._known.get(encoded)
        if known is not None and self._left >= 0:
            return known
        self._new_left -= 1
        if self._left < 0 or self._new_left < 0:
            raise too_large("size.too-many-attributes")
        self.spent_us += _NEW_US + _BYTE_US * min(len(encoded), VALUE_BYTES_MAX)
        judged = judge(*self._read(encoded))
        if len(self._known) < KEPT_MAX:
            self._known[encoded] = judged
        return judged


def judge(key: str, value: Value) -> Verdict:
    """Judge an attribute by the tables of `names` and `mapping`, then by its value."""
    key = key[:KEY_CHARS_MAX]
    names = above(key)
    is_mapped = key in MAPPED or key in RESOURCE_TAGS or key.startswith(TAG_PREFIX)
    if not is_mapped and key not in EXCEPT and (listed := _listed(key, names, value)) is not None:
        return listed
    rule = rule_of(value)
    if rule is None and key in IDENTITIES and not _is_plain(value):
        rule = "content.unknown-key"
    if rule is None and not is_mapped:
        rule = _unknown(key, names[-1], value)
    if rule is not None:
        return Verdict(key, None, rule, key if key in MAPPED else _ANY)
    return Verdict(key, value if is_mapped else None, is_mapped=is_mapped)


def _listed(key: str, names: list[str], value: Value) -> Verdict | None:
    for name in names:
        if name in CONTENT and (name == key or name not in EXACT):
            return Verdict(key, None, _content(CONTENT[name], value), name if name == key else f"{name}.*")
        if name in FREE_TEXT_NAMES:
            return _free_text(key, FREE_TEXT_NAMES[name], value)
        if name in CONTEXT_NAMES:
            return Verdict(key, None, context=name if _is_something(value) else None)
    return None


def content_of_body(path: str, value: Value) -> str | None:
    """Return the rule that a leaf of the body of a GenAI event breaks, or None."""
    if _is_plain(value) or value in REDACTED:
        is_named = rule_of_name(path.rpartition(".")[2]) in NAME_RULES
        return "content.message" if is_named and isinstance(value, str) and value not in REDACTED else rule_of(value)
    return "content.message"


def _content(rule: str, value: Value) -> str | None:
    """Return the rule unless the value is a number, a mark that content was taken out, or nothing."""
    return rule if _is_something(value) and value not in REDACTED else None


def _free_text(key: str, field: str, value: Value) -> Verdict:
    return Verdict(key, None, rule_of(value), field, field if _is_something(value) else None)


def _is_something(value: Value) -> bool:
    return value is not None and value not in {"", ()} and not isinstance(value, bool | int | float)


def _unknown(key: str, namespace: str, value: Value) -> str | None:
    """Return the rule that an unmapped attribute breaks: a name of content, or a value that a name cannot have."""
    is_bare = key == namespace
    if key in TITLES or not (is_bare or namespace in NAMESPACES) or isinstance(value, bool | int | float | None):
        return None
    rule = rule_of_name(key.rpartition(".")[2])
    is_named = rule in NAME_RULES
    if is_bare:
        return rule if is_named and not _is_plain(value) else None
    if is_named and _is_something(value) and value not in REDACTED:
        return rule
    return None if _is_plain(value) else "content.unknown-key"


def _is_plain(value: Value) -> bool:
    """Return whether a value is a number or a short string without spaces, or a list of such strings."""
    if isinstance(value, Unread):
        return False
    strings = value if isinstance(value, tuple) else (value,)
    return all(_NAME.match(string) for string in strings if isinstance(string, str))


def rule_of(value: Value) -> str | None:
    """Return the rule that a value breaks because it looks like a credential, or None."""
    strings = value if isinstance(value, tuple) else (value,)
    found = (rule_of_value(string[:VALUE_BYTES_MAX]) for string in strings if isinstance(string, str))
    return next((rule for rule in found if rule), None)
