"""Explains why a body was refused: walks it in small steps, with bounded work and memory, and names rules and places.

Runs only after a gate has refused the body, and cannot accept it. Objects are read one level at a time as raw members,
so that the decoder skips over a hostile body and never builds it in memory. A step makes at most one pass of msgspec
over the body, so the caller can do other work between any two steps.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

import msgspec
from msgspec import Raw, Struct

from ingest.intake import misfits
from ingest.intake.errors import Malformed, Rejected
from ingest.intake.explain_values import TERMS, Full, Verdicts
from ingest.serving import steps
from ingest.serving.steps import Steps
from schema import limits
from schema.decode import Refused, Window, decode
from schema.event import DROP_REASONS, Batch, Count, Event, Kind, Stream
from schema.rules import ORDER, Violation
from schema.vocabulary import Vocabulary


class _Object(NamedTuple):
    """An object of the contract: a decoder for each of its fields, and one that finds them all as raw bytes."""

    fields: Mapping[str, misfits.Decoder]
    named: misfits.Decoder


def _object_of(types: Mapping[str, object]) -> _Object:
    raw = msgspec.defstruct("_Raw", [(name, Raw, Raw()) for name in types])
    return _Object({name: msgspec.json.Decoder(kind) for name, kind in types.items()}, msgspec.json.Decoder(raw))


def _types(struct: type[Struct]) -> Mapping[str, object]:
    return {field.name: field.type for field in msgspec.structs.fields(struct)}


_BATCH, _EVENT, _STREAM = _object_of(_types(Batch)), _object_of(_types(Event)), _object_of(_types(Stream))
_DROPPED = _object_of(dict.fromkeys(DROP_REASONS, Count))
_named_terms = msgspec.json.Decoder(msgspec.defstruct("_NamedTerms", [(name, Raw, Raw()) for name in TERMS]))
_SPELLED_EVENTS = 100  # Examined in one step.
_object = msgspec.json.Decoder(dict[str, Raw])
_array = msgspec.json.Decoder(list[Raw])
_event = msgspec.json.Decoder(Event)
_CONTROLS = bytes({*range(0x20), 0x7F} - set(b"\t\n\r"))
_CLEAN_EVENTS, _CLEAN_BYTES = 100, 131_072  # Decoded together, and skipped if they pass together.
_COMMAS_MAX = limits.EVENTS_MAX * (len(_EVENT.fields) + limits.TAGS_MAX)
_BRACES_MAX = limits.EVENTS_MAX * 2
_TAGS_BYTES_MAX = 2_048  # Tags this short are examined even after the budget for names is spent.
_NAMES_STEP = 32
# Repeated names of the contract are members too. No object with more than these is taken apart.
_REPEATS_MAX = 65_536  # Of `events` and its siblings: that many events may have these words as terms.
_COLONS_MAX = limits.NAMES_MAX + 512  # Of an event or the stream.
UNEXPLAINED = Violation("size.unexplained", "")


def explain(body: bytes, vocabulary: Vocabulary, window: Window) -> Malformed | Rejected:
    """Explain a refused body, in one call."""
    explanation = Explanation(body, vocabulary, window)
    steps.finish(explanation.steps())
    return explanation.refusal() or Rejected((UNEXPLAINED,))


def cut(body: bytes) -> Malformed | Rejected:
    """Return a refusal without an explanation, with the status that a whole explanation would have."""
    try:
        msgspec.json.decode(body, type=Raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        if isinstance(error, msgspec.MsgspecError):
            return Malformed((Violation("shape.malformed-json", ""), UNEXPLAINED))
    return Rejected((UNEXPLAINED,))


class Explanation:
    """The faults found so far in one body; `names` counts the unknown names read so far."""

    def __init__(self, body: bytes, vocabulary: Vocabulary, window: Window) -> None:
        self._body = body
        self._walk = _Walk(vocabulary, window)
        self._is_whole = False

    @property
    def names(self) -> int:
        return limits.NAMES_MAX - self._walk.names_left

    def steps(self) -> Steps[None]:
        """Walk the body, with a yield after each piece of work."""
        with suppress(Full):
            yield from self._walk.body(self._body)
        self._is_whole = True

    def refusal(self) -> Malformed | Rejected | None:
        """Return the rules broken, best explanation first; None if none was found."""
        walk = self._walk
        violations = tuple(sorted(walk.violations, key=lambda violation: ORDER[violation.rule]))
        if not violations:
            return None
        if not self._is_whole:
            violations += (UNEXPLAINED,)
        if any(violation.rule == "shape.malformed-json" for violation in violations):
            return Malformed(violations)
        return Rejected(violations, frozenset(walk.candidates if walk.is_learnable and self._is_whole else ()))

    @property
    def is_final(self) -> bool:
        """True once a fault was found that learning cannot repair."""
        return not self._walk.is_learnable


class _Walk(Verdicts):
    """Walks a body from the outside in."""

    def body(self, body: bytes) -> Steps[None]:
        yield from self.characters(body)
        try:
            body = yield from misfits.plain(body)
            if body.lstrip()[:1] == b"{":
                members = yield from self.members(body, _BATCH, "", _BATCH.fields)
                yield from self.batch(members)
            else:
                msgspec.json.decode(body, type=Raw)  # Is it JSON at all?
                self.found("shape.wrong-type", "")
        except UnicodeDecodeError:
            return  # Already reported as shape.non-ascii.
        except RecursionError:
            self.found("shape.too-deep", "")
        except msgspec.MsgspecError:
            self.found("shape.malformed-json", "")

    def characters(self, body: bytes) -> Steps[None]:
        if not body.isascii():
            self.found("shape.non-ascii", "")
        if b"\\" in body:
            self.found("shape.escape", "")
        yield
        if len(body.translate(None, _CONTROLS)) < len(body):
            self.found("shape.control-character", "")
        yield

    def batch(self, members: Mapping[str, bytes]) -> Steps[None]:
        if "events" in members:
            yield from self.events(members["events"])
        if _is_empty(members.get("events", b"[]"), b"[]"):
            self.losses_alone(members)
        if "stream" in members:
            stream = yield from self.members(members["stream"], _STREAM, "/stream")
            for name, raw in stream.items():
                self.field(_STREAM.fields[name], name, raw, f"/stream/{name}")
                yield
        if "dropped" in members:
            dropped = yield from self.members(members["dropped"], _DROPPED, "/dropped", DROP_REASONS)
            for name, raw in dropped.items():
                self.field(_DROPPED.fields[name], name, raw, f"/dropped/{name}")

    def losses_alone(self, members: Mapping[str, bytes]) -> None:
        """Report what a batch without events lacks to be a report of losses."""
        if _is_empty(members.get("dropped", b"{}"), b"{}"):
            self.found("size.no-events" if "events" in members else "shape.missing-field", "/events")
        elif "stream" not in members:
            self.found("shape.dropped-without-stream", "/stream")

    def members(self, raw: bytes, kind: _Object, at: str, optional: Collection[str] = ()) -> Steps[dict[str, bytes]]:
        """Return the members of an object that the contract names; any other is a violation."""
        if raw.lstrip()[:1] != b"{":
            self.found("shape.wrong-type", at)
            return {}
        if _repeats(raw, kind):
            self.found("size.too-many-names", at)
            return {}
        yield
        named = kind.named.decode(raw)
        yield
        members = {name: part for name in kind.fields if (part := bytes(getattr(named, name)))}
        for name in kind.fields:
            if name not in members and name not in optional:
                self.found("shape.missing-field", f"{at}/{name}")
        others = raw.count(b":")
        yield
        others -= sum(1 + part.count(b":") for part in members.values())
        yield
        if others > self.names_left:
            self.found("size.too-many-names", at)
        elif others:
            yield from self.others(raw, kind, at)
        return members

    def others(self, raw: bytes, kind: _Object, at: str) -> Steps[None]:
        """Report what an object has beside its fields: unknown names, and names that occur twice."""
        members = {name: bytes(part) for name, part in _object.decode(raw).items()}
        yield
        unknown = members.keys() - kind.fields.keys()
        self.names_left -= len(unknown)
        for place, name in enumerate(unknown, 1):
            self.unknown(name, members[name], at)
            if place % _NAMES_STEP == 0:
                yield
        quotes = 2 * len(members) + sum(part.count(b'"') for part in members.values())
        yield
        if b"\\" not in raw and raw.count(b'"') != quotes:
            self.found("shape.duplicate-key", at)

    def events(self, raw: bytes) -> Steps[None]:
        if raw[:1] != b"[":
            return self.found("shape.wrong-type", "/events")
        if (commas := raw.count(b",")) > _COMMAS_MAX:
            has_names = raw.count(b"{") <= _BRACES_MAX and raw.count(b":") > commas // 2
            return self.found("size.too-many-names" if has_names else "size.too-many-events", "/events")
        yield
        events = _array.decode(raw)
        yield
        if len(events) > limits.EVENTS_MAX:
            self.found("size.too-many-events", "/events")
        parts = list(map(bytes, events[: limits.EVENTS_MAX]))
        del events
        yield
        yield from self.spellings(parts)
        start = 0
        for end in _groups(parts):
            if not self.is_clean(parts[start:end]):
                yield
                yield from self.unclean(parts[start:end], start)
            start = end
            yield
        return None

    def spellings(self, events: Sequence[bytes]) -> Steps[None]:
        """Report what no single event shows: more strings that are not terms than decode looks up in one batch."""
        spelled: dict[Kind, set[str]] = {kind: set() for kind, _ in TERMS.values()}
        for place, event in enumerate(events):
            if place % _SPELLED_EVENTS == 0:
                yield
            with suppress(msgspec.MsgspecError, RecursionError):  # Reported when the event itself is examined.
                named = _named_terms.decode(event)
                for name, (kind, _) in TERMS.items():
                    term = misfits.text(bytes(getattr(named, name))) or ""
                    if self.vocabulary.kinds[kind].exact(term) is None:
                        spelled[kind].add(term)
        for kind, distinct in spelled.items():
            if len(distinct) > limits.SPELLINGS_MAX and not self.vocabulary.kinds[kind].coarsens:
                self.found("size.too-many-spellings", "/events")

    def unclean(self, parts: Sequence[bytes], start: int) -> Steps[None]:
        for place, part in enumerate(parts, start):
            if len(parts) == 1 or not self.is_clean([part]):
                yield from self.event(part, f"/events/{place}")
            yield

    def is_clean(self, events: Sequence[bytes]) -> bool:
        try:
            decode(b'{"events":[' + b",".join(events) + b"]}", self.vocabulary, self.window)
        except Refused:
            return False
        return True

    def event(self, raw: bytes, at: str) -> Steps[None]:
        members = yield from self.members(raw, _EVENT, at)
        for name, part in members.items():
            if name != "tags":
                self.field(_EVENT.fields[name], name, part, f"{at}/{name}")
        yield
        if "tags" in members:
            yield from self.tags(members["tags"], f"{at}/tags")
        with suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            event = _event.decode(raw)
            if event.reasoning_tokens > event.output_tokens:
                self.found("shape.inconsistent", f"{at}/reasoning_tokens")
            if (event.ttft_ms or 0) > event.latency_ms:
                self.found("shape.inconsistent", f"{at}/ttft_ms")

    def tags(self, raw: bytes, at: str) -> Steps[None]:
        if raw[:1] != b"{":
            return self.found("shape.wrong-type", at)
        if len(raw) > _TAGS_BYTES_MAX and raw.count(b":") > self.names_left:
            return self.found("size.too-many-tags", at)
        tags = {key: bytes(value) for key, value in _object.decode(raw).items()}
        self.names_left = max(0, self.names_left - max(0, len(tags) - limits.TAGS_MAX))
        yield
        if len(tags) > limits.TAGS_MAX:
            self.found("size.too-many-tags", at)
        if b"\\" not in raw and raw.count(b'"') != 2 * len(tags) + sum(value.count(b'"') for value in tags.values()):
            self.found("shape.duplicate-key", at)
        for place, (key, value) in enumerate(tags.items(), 1):
            self.tag(key, value, f"{at}/*")
            if place % _NAMES_STEP == 0:
                yield
        return None


def _is_empty(raw: bytes, brackets: bytes) -> bool:
    return raw[:1] == brackets[:1] and not raw[1:-1].strip()


def _repeats(raw: bytes, kind: _Object) -> bool:
    """Return whether an object has so many members that finding its fields would take too long."""
    if kind is _BATCH:
        return sum(raw.count(b'"%s"' % name.encode("ascii")) for name in kind.fields) > _REPEATS_MAX
    return raw.count(b":") > _COLONS_MAX


def _groups(parts: Sequence[bytes]) -> Iterator[int]:
    """Divide events into groups that are decoded together; yield the end of each."""
    size = start = 0
    for place, part in enumerate(parts):
        if place > start and (place - start >= _CLEAN_EVENTS or size + len(part) > _CLEAN_BYTES):
            yield place
            size, start = 0, place
        size += len(part)
    if parts:
        yield len(parts)
