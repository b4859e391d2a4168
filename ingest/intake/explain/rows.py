"""Explains events in rows: groups of them that decode together are skipped, the others examined one by one."""

from collections.abc import Iterator, Sequence
from contextlib import suppress

import msgspec
from msgspec import Raw

from ingest.intake.explain import misfits
from ingest.intake.explain.objects import Objects, object_of, types_of
from ingest.intake.explain.values import TERMS
from ingest.serving.steps import Steps
from schema import limits
from schema.decode import Refused, decode
from schema.event import Event, Kind

_EVENT = object_of(types_of(Event))
_named_terms = msgspec.json.Decoder(msgspec.defstruct("_NamedTerms", [(name, Raw, Raw()) for name in TERMS]))
_array = msgspec.json.Decoder(list[Raw])
_event = msgspec.json.Decoder(Event)
_SPELLED_EVENTS = 100  # Examined in one step.
_CLEAN_EVENTS, _CLEAN_BYTES = 100, 131_072  # Decoded together, and skipped if they pass together.
_COMMAS_MAX = limits.EVENTS_MAX * (len(_EVENT.fields) + limits.TAGS_MAX)
_BRACES_MAX = limits.EVENTS_MAX * 2


class Rows(Objects):
    """The verdicts on events in rows."""

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
