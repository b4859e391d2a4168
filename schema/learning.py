"""Terms that traffic may register in mode `learn`: names made only of shipped words and short numbers.

A model must be a sibling of a catalogued one: the same words, with one other version, size or variant and its own date.
Any other term has up to four words from words/operations.txt and six digits.
"""

import re
from functools import cache
from typing import NamedTuple

from .event import Kind
from .gauntlet import fault
from .lexicon import OPERATIONS
from .vocabulary import shipped_terms

WORDS_MAX, DIGITS_MAX = 4, 6
MAJORS_MAX, MINORS_MAX = 2, 20  # How far a version may be ahead of a catalogued one.
SIZES = frozenset(
    "0.5 0.6 0.8 1 1.2 1.5 1.7 1.8 2 2.4 2.6 3 3.8 4 6 6.7 7 8 9 10 11 12 13 14 15 16 17 20 21 22 24 27 28 30 31 32 33 "
    "34 35 36 40 48 49 56 65 70 72 80 90 100 104 106 110 120 122 123 131 141 176 180 230 235 253 300 355 397 400 405 "
    "480 500 671 685".split()
)
_YEAR, _MONTH, _DAY = "(?:2[4-9]|3[01])", "(?:0[1-9]|1[0-2])", "(?:0[1-9]|[12][0-9]|3[01])"
_DATE = re.compile(
    rf"[-@](?:20{_YEAR}{_MONTH}{_DAY}|20{_YEAR}-{_MONTH}-{_DAY}|20{_YEAR}-{_MONTH}"
    rf"|{_YEAR}?{_MONTH}{_DAY}|{_YEAR}{_MONTH})(?![0-9A-Za-z])"
)
_SIZE = r"(?P<size>[0-9]{1,3}(?:\.[0-9])?)[bB](?![A-Za-z])"
_VERSION = r"(?P<major>[0-9]{1,2})(?:[.-](?P<minor>[0-9]{1,2}))?(?![0-9]|\.[0-9])"
_PART = re.compile(rf"(?<![0-9])(?<![0-9][.])(?:{_SIZE}|{_VERSION})")
VARIANTS = "mini nano micro pro max lite flash turbo fast high low thinking instruct chat preview latest exp beta free"
_VARIANT = re.compile(rf"[-:](?:{VARIANTS.replace(' ', '|')})\Z")
_PIECE = re.compile(r"(?P<word>[A-Za-z]+)[0-9]{0,2}|[0-9]{1,4}")
_Part = tuple[str, str, str]  # A size, or a version's major and minor number.


class Candidate(NamedTuple):
    """A term that a tenant in mode LEARN may register; `parent` is its tag key's id, or 0."""

    kind: Kind
    parent: int
    term: str


def is_learnable(kind: Kind, term: str) -> bool:
    """Return whether traffic may register a term: no detector bars it, and all its words are shipped."""
    is_made = _is_sibling(term) if kind is Kind.MODEL else kind is not Kind.TAG_KEY and _is_operational(term)
    return is_made and fault(kind, term) is None


def _is_operational(term: str) -> bool:
    pieces = re.split(r"[-_./:]", term)
    digits = sum(character.isdigit() for character in term)
    words = sum(not piece.isdigit() for piece in pieces)
    is_short = 0 < words <= WORDS_MAX and len(pieces) <= WORDS_MAX + 1 and digits <= DIGITS_MAX
    return is_short and all(map(_is_shipped, pieces))


def _is_shipped(piece: str) -> bool:
    """Return whether a piece is a short number, or a normally cased word of operations with or without a number."""
    found = _PIECE.fullmatch(piece)
    word = (found["word"] if found else None) or piece
    is_known = piece.lower() in OPERATIONS or word.lower() in OPERATIONS
    is_written = piece in {piece.lower(), piece.upper(), piece.title()}
    return is_written and (is_known or (found is not None and found["word"] is None))


def _read(model: str) -> tuple[str, tuple[_Part, ...]]:
    """Split an id into its words, with marks in place of numbers and without the date, and its numbers."""
    parts: list[_Part] = []

    def mark(found: re.Match[str]) -> str:
        size, major, minor = found.groups("")
        parts.append((size, major, minor))
        return "#b" if size else "#"

    return _PART.sub(mark, _DATE.sub("", model, count=1)), tuple(parts)


@cache
def families() -> dict[str, set[tuple[_Part, ...]]]:
    """Return the numbers of the catalogued ids, by the ids' words; the first call takes 0.1 s."""
    found: dict[str, set[tuple[_Part, ...]]] = {}
    for model in shipped_terms(Kind.MODEL):
        family, parts = _read(model)
        found.setdefault(family, set()).add(parts)
    return found


def _is_sibling(model: str) -> bool:
    family, parts = _read(model)
    if any(_is_near(parts, known) for known in families().get(family, ())):
        return True
    family, parts = _read(_VARIANT.sub("", model))
    return parts in families().get(family, ())


def _is_near(parts: tuple[_Part, ...], known: tuple[_Part, ...]) -> bool:
    """Return whether ids of one family differ in at most one number, and by a step that makers take."""
    changed = [(new, old) for new, old in zip(parts, known, strict=True) if new != old]
    return not changed or (len(changed) == 1 and _is_step(*changed[0]))


def _is_step(new: _Part, old: _Part) -> bool:
    size, major, minor = new
    if size or old[0]:
        return size in SIZES
    is_plain = all(part == str(int(part)) for part in (major, minor or "0"))
    return is_plain and int(old[1]) <= int(major) <= int(old[1]) + MAJORS_MAX and int(minor or 0) <= MINORS_MAX
