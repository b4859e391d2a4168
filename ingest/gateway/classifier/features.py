"""The features of a prompt: hashes of the words at its edges, of pairs and beginnings of them, and of its middle.

The instruction stands at the beginning or at the end; between them is material, of which a bounded number of words
counts. Everything is crc32 of bytes, so that it is the same in each process and on each machine.
"""

import re
from binascii import crc32
from collections.abc import Iterator, Sequence
from itertools import pairwise, repeat
from typing import Final, Literal, NamedTuple, get_args

from ingest.gateway.content import Content

Kind = Literal["word", "pair", "stem", "head", "tail", "middle"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

SAMPLE_BYTES_MAX: Final = 4_096
_END_BYTES: Final = 512  # Of a longer sample only this much at each end is split into words, which is what costs.
_EDGE_WORDS: Final = 24
_END_WORDS: Final = 6
_MIDDLE_WORDS_MAX: Final = 48
_STEM_BYTES: Final = 4  # Survives an ending, and a typing mistake behind it.

# Lower case, and each digit as 0: a number matters by its length, not by its value.
_FOLDED: Final = bytes(ord("0") if 48 <= byte <= 57 else byte + 32 if 65 <= byte <= 90 else byte for byte in range(256))  # noqa: PLR2004 - ASCII's digits and capitals.
# A character of three bytes from U+3000 on is a word (Chinese, Japanese and Korean have no spaces); then words, then
# single marks.
_WORD: Final = re.compile(rb"[\xe3-\xed][\x80-\xbf]{2}|[a-z0_\x80-\xff]+|[^\sa-z0_]")

# What the hash of a kind begins with. A pair begins with the hash of its first word.
_STEM, _HEAD, _TAIL, _MIDDLE = (crc32(kind.encode()) for kind in ("stem", "head", "tail", "middle"))


class Feature(NamedTuple):
    """A feature with the text that it is the hash of."""

    kind: Kind
    text: Content
    hashed: int


def hashes(sample: bytes) -> set[int]:
    """Return the hashes of the features. Everything runs in C, by `map`: this is half of a classification."""
    words, middle = _edges(sample)
    singles = list(map(crc32, words))
    found = set(singles)
    found.update(map(crc32, words[1:], singles))
    found.update(map(crc32, _stems(words), repeat(_STEM)))
    found.update(map(crc32, words[:_END_WORDS], repeat(_HEAD)))
    found.update(map(crc32, words[-_END_WORDS:], repeat(_TAIL)))
    found.update(map(crc32, middle, repeat(_MIDDLE)))
    return found


def named(sample: bytes) -> Iterator[Feature]:
    """Yield the features with their texts, for explanations; a feature that is there twice is yielded twice."""
    words, middle = _edges(sample)
    for word in words:
        yield Feature("word", Content(word), crc32(word))
    for first, second in pairwise(words):
        yield Feature("pair", Content(first + b" " + second), crc32(second, crc32(first)))
    parts: Sequence[tuple[Kind, int, Sequence[bytes]]] = (
        ("stem", _STEM, _stems(words)),
        ("head", _HEAD, words[:_END_WORDS]),
        ("tail", _TAIL, words[-_END_WORDS:]),
        ("middle", _MIDDLE, middle),
    )
    for kind, seed, texts in parts:
        yield from (Feature(kind, Content(text), crc32(text, seed)) for text in texts)


def _edges(sample: bytes) -> tuple[list[bytes], list[bytes]]:
    """Return the words at the beginning and at the end, and of those between them some at equal distances."""
    sample = sample[:SAMPLE_BYTES_MAX]
    if len(sample) > 2 * _END_BYTES:
        sample = sample[:_END_BYTES] + b" " + sample[-_END_BYTES:]
    words = _WORD.findall(sample.translate(_FOLDED))
    if len(words) <= 2 * _EDGE_WORDS:
        return words, []
    middle = words[_EDGE_WORDS:-_EDGE_WORDS]
    return words[:_EDGE_WORDS] + words[-_EDGE_WORDS:], middle[:: 1 + len(middle) // _MIDDLE_WORDS_MAX]


def _stems(words: Sequence[bytes]) -> list[bytes]:
    return [word[:_STEM_BYTES] for word in words if len(word) > _STEM_BYTES]
