"""How improbable a term's letters are, judged by the catalogue and word lists: keys are improbable, names are not."""

import math
import re
from collections import Counter
from functools import cache, lru_cache
from typing import NamedTuple

from .event import Kind
from .lexicon import CATALOGUED, ENGLISH, FAMILY, GIVEN, OPERATIONS, VERBS
from .vocabulary import shipped_terms

BITS_USUAL = 5.5  # A character of a real id has 2.5 bits on average, a random one 9.
CASE_BITS = 1.0  # Added for a capital after a lower-case letter.
_PIECE = re.compile(r"[A-Za-z0-9]+")
_ALPHABET = 37


class _Counts(NamedTuple):
    """Counts of adjacent letters and digits; dashes mark the beginning of a word."""

    three: Counter[str]
    two: Counter[str]
    after_two: Counter[str]
    after_one: Counter[str]


@cache
def _counts() -> _Counts:
    """Count each letter or digit after the two before it; the first call takes 0.1 s."""
    pieces = {piece.lower() for model in shipped_terms(Kind.MODEL) for piece in _PIECE.findall(model)}
    three: Counter[str] = Counter()
    for piece in pieces | OPERATIONS | ENGLISH | VERBS | GIVEN | FAMILY | CATALOGUED:
        marked = f"--{piece}"
        three.update(map("".join, zip(marked, marked[1:], marked[2:], strict=False)))
    two: Counter[str] = Counter()
    after_two: Counter[str] = Counter()
    after_one: Counter[str] = Counter()
    for key, count in three.items():
        two[key[1:]] += count
        after_two[key[:2]] += count
        after_one[key[1]] += count
    return _Counts(three, two, after_two, after_one)


@lru_cache(_ALPHABET**3)
def _bits(three: str) -> float:
    """Return the bits of a letter or digit after the two before it, smoothed by the one before it if rare."""
    counts = _counts()
    likely = (counts.two[three[1:]] + 0.5 / _ALPHABET) / (counts.after_one[three[1]] + 0.5)
    return -math.log2((counts.three[three] + 4 * likely) / (counts.after_two[three[:2]] + 4))


def surprise(term: str) -> float:
    """Return the bits beyond the usual in the most improbable stretch of a term."""
    most = now = 0.0
    for piece in _PIECE.findall(term):
        marked = f"--{piece}".lower()
        for place, letter in enumerate(piece):
            case = CASE_BITS if letter.isupper() and place and piece[place - 1].islower() else 0.0
            now = max(0.0, now + _bits(marked[place : place + 3]) + case - BITS_USUAL)
            most = max(most, now)
    return most
