"""Terms: the only strings there are, and the look-up that a batch passes. What bars a new one is in `gauntlet`."""

import re
from collections.abc import Mapping
from enum import IntEnum
from functools import cache
from pathlib import Path
from typing import NamedTuple

from . import limits
from .event import Kind

UNKNOWN = "unknown"  # A term of every kind, for what a proxy does not know or a tenant does not want kept.
UNKNOWN_ID = 0
_MODEL = re.compile(rf"[A-Za-z0-9@~][A-Za-z0-9._:/@+-]{{0,{limits.TERM_CHARS_MAX - 1}}}\Z")
_SLUG = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}\Z")
GRAMMAR = {kind: (_MODEL if kind is Kind.MODEL else _SLUG).pattern for kind in Kind}
_CATALOGUE = Path(__file__).parent / "catalogue"


class Mode(IntEnum):
    """What a tenant does with a term that is not registered; the value is stored."""

    REFUSE = 0
    COARSEN = 1  # Store `unknown`, count it, keep nothing.
    LEARN = 2  # Register it, if it has no fault and the budget allows.


class TagSet(NamedTuple):
    """The tags of an event: term ids in ascending order, 0 where there is none, and the quotes in its JSON."""

    ids: tuple[int, ...]
    packed: bytes  # The same, two bytes each, big-endian.
    quotes: int
    coarsened: int


class Unlearned(NamedTuple):
    """A faultless term that a tenant in mode LEARN may register; `parent` is its tag key's id, or 0."""

    kind: Kind
    parent: int
    term: str


class Vocabulary:
    """What one tenant may say: its own terms over the shipped catalogue, and its mode for each kind."""

    __slots__ = ("kinds", "modes", "tag_keys", "tag_values", "tags")

    def __init__(self, modes: Mapping[Kind, Mode], shipped: Mapping[Kind, Mapping[str, int]]) -> None:
        self.kinds = {kind: Terms(shipped.get(kind, {})) for kind in Kind}
        self.tag_keys: dict[str, int] = {}
        self.tag_values: dict[int, dict[str, int]] = {}
        self.tags: dict[bytes, TagSet] = {}
        self.set_modes(modes)

    def set_modes(self, modes: Mapping[Kind, Mode]) -> None:
        self.modes = modes
        for kind, terms in self.kinds.items():
            terms.coarsens = modes.get(kind) is Mode.COARSEN
        self.tags.clear()

    def add(self, kind: Kind, parent: int, term: str, term_id: int) -> None:
        """Register a term that storage holds."""
        if kind is Kind.TAG_KEY:
            self.tag_keys[term] = term_id
            self.tag_values.setdefault(term_id, {})
        elif kind is Kind.TAG_VALUE:
            self.tag_values.setdefault(parent, {})[term] = term_id
        else:
            self.kinds[kind][term] = term_id
        self.tags.clear()

    def remove(self, kind: Kind, parent: int, term: str) -> None:
        """Refuse a term from now on; rows that have it keep it. `unknown` stays."""
        if term == UNKNOWN:
            return
        if kind is Kind.TAG_KEY:
            self.tag_keys.pop(term, None)  # Its values stay, for when it is declared again.
        elif kind is Kind.TAG_VALUE:
            self.tag_values.get(parent, {}).pop(term, None)
        else:
            self.kinds[kind].pop(term, None)
        self.tags.clear()


class Terms(dict[str, int]):
    """Terms of one kind to their ids; a miss looks in the catalogue and remembers, else is a KeyError or `unknown`."""

    __slots__ = ("coarsens", "shipped")

    def __init__(self, shipped: Mapping[str, int]) -> None:
        super().__init__({UNKNOWN: UNKNOWN_ID})
        self.shipped = shipped
        self.coarsens = False

    def __missing__(self, term: str) -> int:
        if (term_id := self.shipped.get(term)) is not None:
            self[term] = term_id
            return term_id
        if self.coarsens:
            return UNKNOWN_ID
        raise KeyError


@cache
def shipped_terms(kind: Kind) -> tuple[str, ...]:
    """Give the catalogue's terms of a kind; the database gives them ids when it is migrated."""
    names = {Kind.TASK_CATEGORY: "task_categories", Kind.PROVIDER: "providers", Kind.MODEL: "models"}
    return tuple((_CATALOGUE / f"{names[kind]}.txt").read_text("ascii").split()) if kind in names else ()
