"""Split a term into parts and lower-case words, including words that were written as one."""

import re
from functools import lru_cache

from .lexicon import ENGLISH, FAMILY, GIVEN, PARTICLES, PLAIN, SENTENCE, VERBS

COMMON = SENTENCE | VERBS | ENGLISH
KNOWN = COMMON | PLAIN
SURELY_GIVEN, SURELY_FAMILY = GIVEN - KNOWN, FAMILY - KNOWN  # Names that are not also words.
SHORT = 2  # A piece this short is not a word (`a22b`, `LateOn`, `KaLM`), unless there are many pieces.
PIECES_MAX = 3
JOINED_CHARS_MIN = 9
JOINED_WORDS_MIN = 4
JOINED_LETTERS_MIN = 3.2  # Per word, on average.
JOINED_SHARE_MIN = 0.75  # Of the letters that belong to known words.
WORD_CHARS_MAX = 14  # Of a known word,
STEM_CHARS_MIN = 5  # and of an inflected form.
_JOINABLE = KNOWN | PARTICLES | GIVEN
_SMALL = re.compile(r"[a-z]{2}")
_TOKEN = re.compile(r"[^-_.+~]+")
_PIECE = re.compile(r"[A-Z]{2,}(?![a-z])|[A-Z]?[a-z]+|[A-Z]|[0-9]+")
_ENDINGS = (("ies", "y"), ("es", ""), ("s", ""), ("ing", ""), ("ing", "e"), ("ed", ""), ("ed", "e"), ("ly", ""))


def parts_of(term: str) -> tuple[tuple[str, ...], ...]:
    """Split a term at `/`, `:` and `@`, and each part into words and numbers; acronyms keep their capitals."""
    whole = term if _SMALL.search(term) else term.lower()
    return tuple(tuple(_words(part)) for part in re.split(r"[/:@]", whole))


def stem(word: str) -> str:
    """Return the known word that a word is an inflected form of, else the word itself."""
    for ending, instead in _ENDINGS:
        if word.endswith(ending) and (found := word.removesuffix(ending) + instead) in KNOWN:
            return found
    return word


def is_strange(word: str) -> bool:
    """Return whether a word is unknown, ignoring lists of names; acronyms and very short words never are."""
    return len(word) > SHORT + 1 and word.islower() and word not in KNOWN and stem(word) not in KNOWN


def _words(part: str) -> list[str]:
    words: list[str] = []
    for token in _TOKEN.findall(part):
        pieces = _PIECE.findall(token)
        is_many = len(pieces) > PIECES_MAX or len(pieces) == 1
        for piece in pieces:
            if is_many or len(piece) > SHORT:
                words += (piece,) if piece.isupper() else unjoined(piece.lower())
    return words


@lru_cache(4_096)
def unjoined(word: str) -> tuple[str, ...]:
    """Split an unknown word into a person's two names, or into the known words it is made of if there are enough."""
    if len(word) < JOINED_CHARS_MIN or not is_strange(word) or word in GIVEN or word in FAMILY:
        return (word,)
    for place in range(3, len(word) - 2):
        if word[:place] in SURELY_GIVEN and word[place:] in SURELY_FAMILY:
            return word[:place], word[place:]
    found = segmented(word)
    known = [part for part in found if part in _JOINABLE or len(part) > 1]
    is_joined = JOINED_WORDS_MIN <= len(known) <= len(word) / JOINED_LETTERS_MIN
    return found if is_joined and sum(map(len, known)) >= len(word) * JOINED_SHARE_MIN else (word,)


def segmented(word: str) -> tuple[str, ...]:
    """Split a word into known words, preferring long ones, with as few single letters left over as possible."""
    cheapest: list[tuple[int, tuple[str, ...]]] = [(0, ())]
    for end in range(1, len(word) + 1):
        cost, parts = cheapest[end - 1]
        best = (cost + (4 if word[end - 1] in _JOINABLE else 5), (*parts, word[end - 1]))
        for start in range(max(0, end - WORD_CHARS_MAX), end - 1):
            last = word[start:end]
            if last in _JOINABLE or (len(last) >= STEM_CHARS_MIN and stem(last) != last):
                cost, parts = cheapest[start]
                best = min(best, (cost + max(2, 6 - len(last)), (*parts, last)))
        cheapest.append(best)
    return cheapest[-1][1]
