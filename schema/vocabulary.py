"""Terms: the only strings there are. What may become one (`fault`), and the look-up that a batch passes."""

import base64
import binascii
import math
import re
from collections import Counter
from collections.abc import Mapping
from enum import IntEnum
from functools import cache
from pathlib import Path
from typing import NamedTuple

from . import limits
from .event import Kind
from .rules import rule_of_name, rule_of_value

UNKNOWN = "unknown"  # A term of every kind, for what a proxy does not know or a tenant does not want kept.
UNKNOWN_ID = 0
_MODEL = re.compile(rf"[A-Za-z0-9@~][A-Za-z0-9._:/@+-]{{0,{limits.TERM_CHARS_MAX - 1}}}\Z")
_SLUG = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}\Z")
GRAMMAR = {kind: (_MODEL if kind is Kind.MODEL else _SLUG).pattern for kind in Kind}
WORDS_MAX = 6  # Of three letters and more; a sentence has more. Shipped model ids are exempt: people wrote them.
_OPAQUE = re.compile(r"[A-Fa-f0-9]{24,}|[A-Fa-f0-9]{8}(?:-[A-Fa-f0-9]{4}){3}-[A-Fa-f0-9]{12}")
_CATALOGUE = Path(__file__).parent / "catalogue"
_RUN = re.compile(r"[A-Za-z0-9+/]{16,}")


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


def fault(kind: Kind, term: str) -> str | None:
    """Give the rule that bars a term from a vocabulary, or None: the gauntlet, run once for each new term."""
    if not re.match(GRAMMAR[kind], term) or term == UNKNOWN:
        return "vocabulary.bad-term"
    if rule := (rule_of_name(term) if kind is Kind.TAG_KEY else None) or rule_of_value(term):
        return rule
    if _OPAQUE.search(term) or any(_is_random(run) for run in re.findall(r"[A-Za-z0-9]{16,}", term)):
        return "secret.high-entropy"
    if any(_is_encoded(run) for run in _RUN.findall(term)):
        return "vocabulary.encoded"
    return "vocabulary.prose" if len(re.findall(r"[A-Za-z]{3,}", term)) > WORDS_MAX else None


def _is_random(run: str) -> bool:
    """Tell a run of letters and digits that changes between them more often than a name does."""
    changes = len(re.findall(r"[A-Za-z][0-9]|[0-9][A-Za-z]|[a-z][A-Z]", run))
    bits = -sum(n / len(run) * math.log2(n / len(run)) for n in Counter(run).values())
    return changes >= len(run) // 5 and bits > 3  # noqa: PLR2004 (bits a character)


def _is_encoded(run: str) -> bool:
    """Tell a run that is base64, base32 or hex of printable text."""
    for decode in (base64.b64decode, base64.b32decode, binascii.unhexlify):
        try:
            text = decode(run[: len(run) // 8 * 8].upper() if decode is base64.b32decode else run[: len(run) // 4 * 4])
        except ValueError:
            continue
        if text.isascii() and text.decode("ascii").isprintable():
            return True
    return False
