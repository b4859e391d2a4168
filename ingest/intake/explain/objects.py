"""Reads objects of a refused body one level at a time, as raw members, with the names that the contract lacks."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

import msgspec
from msgspec import Raw, Struct

from ingest.intake.explain import misfits
from ingest.intake.explain.values import Verdicts
from ingest.serving.steps import Steps
from schema import limits
from schema.event import Batch


class Object(NamedTuple):
    """An object of the contract: a decoder for each of its fields, and one that finds them all as raw bytes."""

    fields: Mapping[str, misfits.Decoder]
    named: misfits.Decoder


def object_of(types: Mapping[str, object]) -> Object:
    """Return an object of the contract from the types of its fields."""
    raw = msgspec.defstruct("_Raw", [(name, Raw, Raw()) for name in types])
    return Object({name: msgspec.json.Decoder(kind) for name, kind in types.items()}, msgspec.json.Decoder(raw))


def types_of(struct: type[Struct]) -> Mapping[str, object]:
    return {field.name: field.type for field in msgspec.structs.fields(struct)}


BATCH = object_of(types_of(Batch))
_object = msgspec.json.Decoder(dict[str, Raw])
_TAGS_BYTES_MAX = 2_048  # Tags this short are examined even after the budget for names is spent.
_NAMES_STEP = 32
# Repeated names of the contract are members too. No object with more than these is taken apart.
_REPEATS_MAX = 65_536  # Of `events` and its siblings: that many events may have these words as terms.
_COLONS_MAX = limits.NAMES_MAX + 512  # Of any other object.


class Objects(Verdicts):
    """The verdicts on objects and their members."""

    def members(self, raw: bytes, kind: Object, at: str, optional: Collection[str] = ()) -> Steps[dict[str, bytes]]:
        """Return the members of an object that the contract names; any other is a violation."""
        if raw.lstrip()[:1] != b"{":
            self.found("shape.wrong-type", at)
            return {}
        if (yield from _repeats(raw, kind)):
            self.found("size.too-many-names", at)
            return {}
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

    def others(self, raw: bytes, kind: Object, at: str) -> Steps[None]:
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


def _repeats(raw: bytes, kind: Object) -> Steps[bool]:
    """Return whether an object has so many members that finding its fields would take too long."""
    if kind is not BATCH:
        yield
        return raw.count(b":") > _COLONS_MAX
    repeats = 0
    for name in kind.fields:
        repeats += raw.count(b'"%s"' % name.encode("ascii"))
        yield
    return repeats > _REPEATS_MAX
