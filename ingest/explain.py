"""Why a body was refused: walks it once, bounded in time and memory, names rules and places, and forgets it.

Runs only after a gate has closed, and cannot open one. Objects are read one level at a time as raw members, so that a
hostile body is skipped over by the decoder and not built in memory.
"""

import re
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Protocol

import msgspec
from msgspec import Raw, Struct

from ingest.errors import Malformed, Rejected
from schema import limits
from schema.decode import Refused, Window, decode
from schema.event import Batch, Event, Kind, Stream
from schema.gauntlet import fault
from schema.learning import is_learnable
from schema.rules import ORDER, Violation, rule_of_name, rule_of_value
from schema.vocabulary import Mode, Unlearned, Vocabulary


class _Full(Exception):
    """VIOLATIONS_MAX were found."""


class _Decoder(Protocol):
    def decode(self, buf: bytes, /) -> object: ...


_Fields = Mapping[str, _Decoder]


def _fields(struct: type[Struct]) -> _Fields:
    return {field.name: msgspec.json.Decoder(field.type) for field in msgspec.structs.fields(struct)}


_BATCH, _EVENT, _STREAM = _fields(Batch), _fields(Event), _fields(Stream)
_TERMS = {
    "task_category": (Kind.TASK_CATEGORY, "vocabulary.unknown-task-category"),
    "provider": (Kind.PROVIDER, "vocabulary.unknown-provider"),
    "requested_model": (Kind.MODEL, "vocabulary.unknown-model"),
    "routed_model": (Kind.MODEL, "vocabulary.unknown-model"),
}
_object = msgspec.json.Decoder(dict[str, Raw])
_array = msgspec.json.Decoder(list[Raw])
_event = msgspec.json.Decoder(Event)
_NAMES = (*_BATCH, *_EVENT, *_STREAM)
_named = msgspec.json.Decoder(msgspec.defstruct("_Named", [(name, Raw, Raw()) for name in _NAMES]))
_CONTROLS = bytes({*range(0x20), 0x7F} - set(b"\t\n\r"))
_INTEGER = re.compile(rb"-?[0-9]+\Z")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")
_UUIDV7 = re.compile(r".{14}7.{4}[89abAB]")
_CLEAN_EVENTS = 100  # Passed over together, if they pass together.
_COMMAS_MAX = limits.EVENTS_MAX * 2 * len(_EVENT)


def explain(body: bytes, vocabulary: Vocabulary, window: Window) -> Malformed | Rejected:
    """Name what is wrong with a refused body, best explanation first."""
    walk = _Walk(vocabulary, window)
    with suppress(_Full):
        walk.body(body)
    assert walk.violations, "a body was refused for no reason that can be named"
    violations = tuple(sorted(walk.violations, key=lambda violation: ORDER[violation.rule]))
    if any(violation.rule == "shape.malformed-json" for violation in violations):
        return Malformed(violations)
    return Rejected(violations, frozenset(walk.unlearned if walk.is_learnable else ()))


class _Walk:
    def __init__(self, vocabulary: Vocabulary, window: Window) -> None:
        self.vocabulary = vocabulary
        self.window = window
        self.violations: dict[Violation, None] = {}
        self.unlearned: set[Unlearned] = set()
        self.is_learnable = True
        self.readable_bytes = limits.VALUES_BYTES_MAX

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
            raise _Full

    def body(self, body: bytes) -> None:
        self.characters(body)
        try:
            if body.lstrip()[:1] != b"{":
                msgspec.json.decode(body, type=Raw)  # Is it JSON at all?
            self.batch(self.members(body, _BATCH, "", {"stream", "dropped"}))
        except UnicodeDecodeError:
            return  # shape.non-ascii has said it.
        except RecursionError:
            self.found("shape.too-deep", "")
        except msgspec.MsgspecError:
            self.found("shape.malformed-json", "")

    def characters(self, body: bytes) -> None:
        if not body.isascii():
            self.found("shape.non-ascii", "")
        if b"\\" in body:
            self.found("shape.escape", "")
        if len(body.translate(None, _CONTROLS)) < len(body):
            self.found("shape.control-character", "")

    def batch(self, members: Mapping[str, bytes]) -> None:
        if "events" in members:
            self.events(members["events"])
        if "stream" in members:
            for name, raw in self.members(members["stream"], _STREAM, "/stream").items():
                self.field(_STREAM[name], name, raw, f"/stream/{name}")
        if "dropped" in members:
            self.dropped(members["dropped"])

    def dropped(self, raw: bytes) -> None:
        if not _passes(_BATCH["dropped"], raw):
            self.found(_shape(_BATCH["dropped"], raw, _text(raw)), "/dropped")
        elif raw.count(b'"') != 2 * len(_object.decode(raw)):
            self.found("shape.duplicate-key", "/dropped")

    def members(self, raw: bytes, fields: _Fields, at: str, optional: Collection[str] = ()) -> dict[str, bytes]:
        """Give the members of an object that the contract names; whatever else it has is a violation."""
        if raw.lstrip()[:1] != b"{":
            self.found("shape.wrong-type", at)
            return {}
        named = _named.decode(raw)
        members = {name: part for name in fields if (part := bytes(getattr(named, name)))}
        for name in fields:
            if name not in members and name not in optional:
                self.found("shape.missing-field", f"{at}/{name}")
        others = raw.count(b":") - sum(1 + part.count(b":") for part in members.values())
        if others > limits.NAMES_MAX:
            self.found("size.too-many-names", at)
        elif others:
            self.others(raw, fields, at)
        return members

    def others(self, raw: bytes, fields: _Fields, at: str) -> None:
        """Name what an object has beside its fields: unknown names, and names that come twice."""
        members = {name: bytes(part) for name, part in _object.decode(raw).items()}
        for name in members.keys() - fields.keys():
            self.unknown(name, members[name], at)
        quotes = 2 * len(members) + sum(part.count(b'"') for part in members.values())
        if b"\\" not in raw and raw.count(b'"') != quotes:
            self.found("shape.duplicate-key", at)

    def unknown(self, name: str, raw: bytes, at: str) -> None:
        value = raw[: limits.VALUE_BYTES_MAX].decode("utf-8", "replace")
        self.found(self.secret(value) or rule_of_name(name[:64]) or "shape.unknown-field", f"{at}/*")

    def events(self, raw: bytes) -> None:
        if raw[:1] != b"[":
            return self.found("shape.wrong-type", "/events")
        if raw.count(b",") > _COMMAS_MAX:
            return self.found("size.too-many-events", "/events")
        events = _array.decode(raw)
        if not 0 < len(events) <= limits.EVENTS_MAX:
            self.found("size.too-many-events" if events else "size.no-events", "/events")
        parts = list(map(bytes, events[: limits.EVENTS_MAX]))
        for start in range(0, len(parts), _CLEAN_EVENTS):
            if self.is_clean(parts[start : start + _CLEAN_EVENTS]):
                continue
            for place, part in enumerate(parts[start : start + _CLEAN_EVENTS], start):
                if not self.is_clean([part]):
                    self.event(part, f"/events/{place}")
        return None

    def is_clean(self, events: list[bytes]) -> bool:
        try:
            decode(b'{"events":[' + b",".join(events) + b"]}", self.vocabulary, self.window)
        except Refused:
            return False
        return True

    def event(self, raw: bytes, at: str) -> None:
        members = self.members(raw, _EVENT, at)
        for name, part in members.items():
            if name != "tags":
                self.field(_EVENT[name], name, part, f"{at}/{name}")
        if "tags" in members:
            self.tags(members["tags"], f"{at}/tags")
        if not _passes(_event, raw):
            return
        event = _event.decode(raw)
        if event.reasoning_tokens > event.output_tokens or (event.ttft_ms or 0) > event.latency_ms:
            self.found("shape.inconsistent", at)

    def field(self, decoder: _Decoder, name: str, raw: bytes, at: str) -> None:
        value = _text(raw)
        if value is not None and name in _TERMS:
            self.term(_TERMS[name], value, at)
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
        if (terms.coarsens and 0 < len(term) <= limits.TERM_CHARS_MAX) or term in terms or term in terms.shipped:
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

    def tags(self, raw: bytes, at: str) -> None:
        if raw[:1] != b"{":
            return self.found("shape.wrong-type", at)
        if raw.count(b":") > limits.NAMES_MAX:
            return self.found("size.too-many-tags", at)
        tags = {key: bytes(value) for key, value in _object.decode(raw).items()}
        if len(tags) > limits.TAGS_MAX:
            self.found("size.too-many-tags", at)
        if b"\\" not in raw and raw.count(b'"') != 2 * len(tags) + sum(value.count(b'"') for value in tags.values()):
            self.found("shape.duplicate-key", at)
        for key, value in tags.items():
            self.tag(key, value, f"{at}/*")
        return None

    def tag(self, key: str, raw: bytes, at: str) -> None:
        key_id = self.vocabulary.tag_keys.get(key)
        value = _text(raw)
        if key_id is None:
            read = raw[: limits.VALUE_BYTES_MAX].decode("utf-8", "replace")
            self.found(self.secret(read) or rule_of_name(key[:64]) or "vocabulary.undeclared-tag-key", at)
        elif value is None:
            self.found("shape.wrong-type", at)
        elif value not in self.vocabulary.tag_values[key_id] and not self.vocabulary.kinds[Kind.TAG_VALUE].coarsens:
            self.unregistered(Unlearned(Kind.TAG_VALUE, key_id, value), "vocabulary.unknown-tag-value", at)


def _passes(decoder: _Decoder, raw: bytes) -> bool:
    try:
        decoder.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _text(raw: bytes) -> str | None:
    """Give a JSON string's contents as written, cut to what the rules read; None if it is no string."""
    return raw[1:-1][: limits.VALUE_BYTES_MAX].decode("utf-8", "replace") if raw[:1] == b'"' else None


def _shape(decoder: _Decoder, raw: bytes, value: str | None) -> str:
    """Say why a value does not fit: what a field takes is found by offering it one of each."""
    if value is not None:
        takes_words = _passes(decoder, b'"ok"') or _passes(decoder, b'"end_turn"')
        return "shape.unknown-value" if takes_words else "shape.wrong-type"
    takes_integers = _passes(decoder, b"0") or _passes(decoder, b"200")
    return "shape.out-of-range" if takes_integers and _INTEGER.match(raw) else "shape.wrong-type"
