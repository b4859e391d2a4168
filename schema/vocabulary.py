"""Terms, the only strings a batch may contain, and their look-up. `gauntlet` decides which new ones may be added."""

import re
from collections.abc import Mapping
from enum import IntEnum
from functools import cache
from itertools import chain
from typing import NamedTuple

from . import limits
from .composition import aliases, bases, form_of, shipped
from .event import Kind

UNKNOWN = "unknown"  # A term of every kind: a proxy does not know the value, or the tenant does not want it kept.
UNKNOWN_ID = 0
_MODEL = re.compile(rf"[A-Za-z0-9@~][A-Za-z0-9._:/@+-]{{0,{limits.TERM_CHARS_MAX - 1}}}\Z")
_SLUG = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}\Z")
_VALUE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/+-]{0,63}\Z")
GRAMMAR = {kind: {Kind.MODEL: _MODEL, Kind.TAG_VALUE: _VALUE}.get(kind, _SLUG).pattern for kind in Kind}


class Mode(IntEnum):
    """How a tenant treats terms that are not registered; stored by value."""

    REFUSE = 0
    COARSEN = 1  # Store `unknown` instead and count it.
    LEARN = 2  # Register it, if no detector bars it and the budget allows.


class TagSet(NamedTuple):
    """The tags of an event, and the number of quotes in their JSON."""

    packed: bytes  # The term ids in ascending order, padded with 0: two bytes each, big-endian.
    quotes: int
    coarsened: int


class Vocabulary:
    """The terms one tenant may send, its own over the shipped catalogue's, and its mode for each kind."""

    __slots__ = ("kinds", "modes", "tag_keys", "tag_values", "tags")

    def __init__(self, modes: Mapping[Kind, Mode], shipped: Mapping[Kind, Mapping[str, int]]) -> None:
        self.kinds = {kind: Terms(kind, shipped.get(kind, {})) for kind in Kind}
        self.tag_keys: dict[str, int] = {}
        self.tag_values: dict[int, dict[str, int]] = {}
        self.tags: dict[bytes, TagSet] = {}
        self.set_modes(modes)

    def set_modes(self, modes: Mapping[Kind, Mode]) -> None:
        self.modes = modes
        for kind, terms in self.kinds.items():
            terms.coarsens = modes.get(kind) is Mode.COARSEN
        self.forget()

    def add(self, kind: Kind, parent: int, term: str, term_id: int) -> None:
        self.update(kind, parent, {term: term_id})

    def update(self, kind: Kind, parent: int, terms: Mapping[str, int]) -> None:
        """Add stored terms of one kind."""
        if kind is Kind.TAG_KEY:
            self.tag_keys.update(terms)
            self.tag_values = {key_id: {} for key_id in terms.values()} | self.tag_values
        elif kind is Kind.TAG_VALUE:
            self.tag_values.setdefault(parent, {}).update(terms)
        else:
            self.kinds[kind].own.absorb(terms if isinstance(terms, Names) else Names(terms))
            self.kinds[kind].retired.difference_update(terms)
        self.forget()

    def remove(self, kind: Kind, parent: int, *terms: str) -> None:
        """Refuse terms from now on; stored rows keep them. `unknown` cannot be removed."""
        gone = set(terms) - {UNKNOWN}
        if kind in {Kind.TAG_KEY, Kind.TAG_VALUE}:
            for term in gone:  # A key's values stay, in case it is declared again.
                (self.tag_keys if kind is Kind.TAG_KEY else self.tag_values.get(parent, {})).pop(term, None)
        else:
            own = self.kinds[kind].own
            self.kinds[kind].own = Names({each: term_id for each, term_id in own.items() if each not in gone})
            self.kinds[kind].retired |= gone
        self.forget()

    def forget(self) -> None:
        """Clear the caches, because terms were added or removed."""
        self.tags.clear()
        for terms in self.kinds.values():
            terms.forget()

    def end_batch(self) -> None:
        for terms in self.kinds.values():
            terms.read.clear()


class Names(dict[str, int]):
    """The ids of one owner's terms of one kind, and the term that each form stands for."""

    def __init__(self, terms: Mapping[str, int]) -> None:
        super().__init__()
        self.forms: dict[str, str] = {}
        for term, term_id in terms.items():
            self[term] = term_id

    def __setitem__(self, term: str, term_id: int) -> None:
        super().__setitem__(term, term_id)
        if term != UNKNOWN and (known := self.forms.setdefault(form := form_of(term), term)) != term:
            self.forms[form] = min(term, known, key=_plainness)

    def absorb(self, others: "Names") -> None:
        self.update(others)
        for form, term in others.forms.items():
            if (known := self.forms.setdefault(form, term)) != term:
                self.forms[form] = min(term, known, key=_plainness)


def _plainness(term: str) -> tuple[bool, int, str]:
    """Return a sort key: of terms with one form, the lower-case one with the fewest dots comes first and is stored."""
    return term != term.lower(), term.count("."), term


class Terms(dict[str, int]):
    """Ids of strings of one kind: a bounded cache of terms and spellings; an unknown string is a KeyError or 0."""

    __slots__ = ("coarsens", "kind", "own", "read", "retired", "shipped")

    def __init__(self, kind: Kind, shipped: Mapping[str, int]) -> None:
        super().__init__()
        self.kind = kind
        self.shipped = shipped if isinstance(shipped, Names) else Names(shipped)
        self.own = Names({UNKNOWN: UNKNOWN_ID})
        self.retired: set[str] = set()
        self.read: set[str] = set()  # Strings of this batch only: coarsened strings are not kept.
        self.coarsens = False

    def __missing__(self, term: str) -> int:
        term_id = self.exact(term)
        if term_id is None and term not in self.read and len(self.read) < limits.SPELLINGS_MAX:
            self.read.add(term)
            term_id = self.find(term)
        if term_id is not None:
            if len(self) >= limits.STRINGS_CACHED_MAX:
                self.forget()
            self[term] = term_id
            return term_id
        if self.coarsens:
            return UNKNOWN_ID
        raise KeyError

    def forget(self) -> None:
        self.clear()
        self.read.clear()

    def exact(self, term: str) -> int | None:
        return self.own.get(term, self.shipped.get(term))

    def find(self, term: str) -> int | None:
        """Return the id of a term, or of the term that a string is a spelling of, whatever the mode."""
        if (term_id := self.exact(term)) is not None or term in self.retired or len(term) > limits.MODEL_CHARS_MAX:
            return term_id
        form = form_of(term)
        for base in chain((form, aliases(self.kind).get(form, "")), bases(form) if self.kind is Kind.MODEL else ()):
            for names in (self.own, self.shipped):
                if base in names.forms:
                    return names[names.forms[base]]
        return None


@cache
def shipped_terms(kind: Kind) -> tuple[str, ...]:
    """Return the catalogue's terms of a kind; a migration assigns their ids."""
    names = {Kind.TASK_CATEGORY: "task_categories", Kind.PROVIDER: "providers", Kind.MODEL: "models"}
    return shipped(names[kind]) if kind in names else ()
