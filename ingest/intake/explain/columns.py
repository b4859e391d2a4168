"""Explains columns: each column by itself, then each listed string and tag set with the fields that point at it."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Raw

from ingest.intake.explain import misfits
from ingest.intake.explain.objects import object_of, types_of
from ingest.intake.explain.rows import Rows
from ingest.intake.explain.values import TERMS
from ingest.serving.steps import Steps
from schema import event, limits
from schema.event import KINDS, STRINGS, Event, Kind, Status, StopReason

_COLUMNS = object_of(types_of(event.Columns))
# Whether the list beside the columns has a place is examined apart.
_Place = Annotated[int, Meta(ge=0)]
_PLACES = dict.fromkeys((*STRINGS, "tags"), _Place) | {"stop_reason": _Place | None}
_ITEMS: Mapping[str, misfits.Decoder] = {
    name: msgspec.json.Decoder(_PLACES.get(name, Literal[0, 1] if kind is bool else kind))
    for name, kind in types_of(Event).items()
}
_WORDS: Mapping[str, misfits.Decoder] = {
    "status": msgspec.json.Decoder(Status),
    "stop_reason": msgspec.json.Decoder(StopReason),
}
_array = msgspec.json.Decoder(list[Raw])
_NUMBER = re.compile(rb"-?[0-9]+\Z")
_DIGITS_MAX = 16  # Read of a number; one with more is beyond every bound.
_STEP = 100  # Items examined in one step.


_Column = Sequence[int | None]  # The numbers of a column, with None for all else that it holds.


_Uses = dict[int, dict[str, None]]  # The fields that point at each place, in their order.


class Columns(Rows):
    """The verdicts on columns, and on the terms and tag sets listed beside them."""

    def columns(self, members: Mapping[str, bytes]) -> Steps[None]:
        """Examine the members `terms`, `tag_sets` and `columns`, or those of them that a body has."""
        for name in ("terms", "tag_sets", "columns"):
            if name not in members:
                self.found("shape.missing-field", f"/{name}")
        terms, tag_sets, columns = None, None, {}
        if "terms" in members:
            terms = yield from self.items(members["terms"], "/terms", limits.LISTED_MAX)
        if "tag_sets" in members:
            tag_sets = yield from self.items(members["tag_sets"], "/tag_sets", limits.EVENTS_MAX, limits.TAGS_MAX)
        if "columns" in members:
            columns = yield from self.lists(members["columns"])
        yield from self.joint(columns)
        uses = yield from self.uses(columns, STRINGS, terms)
        yield from self.listed("/terms", terms or (), uses, STRINGS)
        yield from self.terms(terms or (), uses)
        uses = yield from self.uses(columns, ("tags",), tag_sets)
        yield from self.listed("/tag_sets", tag_sets or (), uses, ("tags",))
        yield from self.tag_sets(tag_sets or ())

    def items(self, raw: bytes, at: str, most: int, weight: int = 1) -> Steps[Sequence[bytes] | None]:
        """Return the items of a list, each of at most `weight` values; None if it is not a list, empty or too long."""
        if raw[:1] != b"[":
            self.found("shape.wrong-type", at)
            return None
        is_long = raw.count(b'"') > 4 * weight * most
        yield
        # Inside of strings a comma separates nothing.
        if is_long or b"".join(raw.split(b'"')[::2]).count(b",") > weight * most:
            self.found("size.too-many-events", at)
            return None
        yield
        items = list(map(bytes, _array.decode(raw)))
        yield
        if not 0 < len(items) <= most:
            self.found("size.too-many-events" if items else "size.no-events", at)
            return None
        return items

    def lists(self, raw: bytes) -> Steps[dict[str, _Column]]:
        """Examine each column by itself, and return its numbers."""
        members = yield from self.members(raw, _COLUMNS, "/columns")
        columns: dict[str, _Column] = {}
        for name, part in members.items():
            items = yield from self.items(part, f"/columns/{name}", limits.EVENTS_MAX)
            if items is not None:
                if name == "event_id" or not misfits.passes(_COLUMNS.fields[name], part):
                    yield from self.column(name, items)
                columns[name] = [int(item[:_DIGITS_MAX]) if _NUMBER.match(item) else None for item in items]
            yield
        lengths = Counter(map(len, columns.values())).most_common(1)
        for name, column in columns.items():
            if len(column) != lengths[0][0]:
                self.found("shape.unequal-columns", f"/columns/{name}")
        return columns

    def column(self, name: str, items: Sequence[bytes]) -> Steps[None]:
        examine = self.value if name in _PLACES else self.field
        for place, item in enumerate(items):
            examine(_ITEMS[name], name, item, f"/columns/{name}/{place}")
            if place % _STEP == 0:
                yield

    def joint(self, columns: Mapping[str, _Column]) -> Steps[None]:
        for part, whole in (("reasoning_tokens", "output_tokens"), ("ttft_ms", "latency_ms")):
            if part in columns and whole in columns:
                pairs = zip(columns[part], columns[whole], strict=False)
                for place, (number, most) in enumerate(pairs):
                    if number is not None and most is not None and number > most:
                        self.found("shape.inconsistent", f"/columns/{part}/{place}")
            yield

    def uses(
        self, columns: Mapping[str, _Column], names: Sequence[str], listed: Sequence[bytes] | None
    ) -> Steps[_Uses]:
        """Return which fields point at each item of a list; report the places that it does not have."""
        uses: _Uses = {}
        for name in names:
            for number, place in enumerate(columns.get(name, ())):
                if place is not None and place >= 0:
                    uses.setdefault(place, {})[name] = None
                    if listed is not None and place >= len(listed):
                        self.found("shape.no-such-place", f"/columns/{name}/{number}")
            yield
        return uses

    def listed(self, at: str, items: Sequence[bytes], uses: _Uses, names: Sequence[str]) -> Steps[None]:
        """Report items that are listed twice, and if nothing is wrong with the columns of places, those out of use."""
        seen: set[bytes] = set()
        columns = {"/columns", *(f"/columns/{name}" for name in names)}
        is_understood = not any("/".join(pointer.split("/")[:3]) in columns for _, pointer, _ in self.violations)
        for place, raw in enumerate(items):
            if raw in seen:
                self.found("shape.repeated-term", f"{at}/{place}")
            elif place not in uses and (secret := self.secret(misfits.text(raw) or "")):
                self.found(secret, f"{at}/{place}")
            elif place not in uses and is_understood:
                self.found("shape.unused-term", f"{at}/{place}")
            seen.add(raw)
            if place % _STEP == 0:
                yield

    def terms(self, terms: Sequence[bytes], uses: _Uses) -> Steps[None]:
        spelled: Counter[Kind] = Counter()
        for place, raw in enumerate(terms):
            at, term, names = f"/terms/{place}", misfits.text(raw), uses.get(place, {})
            if term is None:
                self.found("shape.wrong-type", at)
                continue
            for name in names:
                if name in TERMS:
                    self.term(TERMS[name], term, at)
                else:
                    self.value(_WORDS[name], name, raw, at)
            kinds = {KINDS[name] for name in names if name in KINDS}
            spelled.update(kind for kind in kinds if self.vocabulary.kinds[kind].exact(term) is None)
            if place % _STEP == 0:
                yield
        for kind, count in spelled.items():
            if count > limits.SPELLINGS_MAX and not self.vocabulary.kinds[kind].coarsens:
                self.found("size.too-many-spellings", "/terms")

    def tag_sets(self, tag_sets: Sequence[bytes]) -> Steps[None]:
        for place, raw in enumerate(tag_sets):
            yield from self.tags(raw, f"/tag_sets/{place}")
            if place % _STEP == 0:
                yield
