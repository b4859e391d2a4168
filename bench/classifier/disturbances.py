"""Changes of a prompt that leave its task as it is: other case, typing mistakes, other names."""

import re
from collections.abc import Callable, Mapping
from random import Random
from typing import Final

from bench.classifier.prompts import lists

_WORD: Final = re.compile(r"[^\W\d_]{4,}")
_TYPO_SHARE: Final = 0.1
# Of nobody's list of sentences for training.
_SYSTEM_PROMPT: Final = (
    "You support the staff of a hospital. Stay factual, cite the page of the handbook, and hand over when asked."
)
_NAMED: Final = ("person", "surname", "company", "city", "country", "product", "fruit", "animal")


def _typed(text: str) -> str:
    """Return the text with a mistake in one of ten words: two letters swapped, one missing or one twice."""
    rng = Random(len(text))

    def mistaken(found: re.Match[str]) -> str:
        word = found[0]
        if rng.random() >= _TYPO_SHARE:
            return word
        at = rng.randrange(1, len(word) - 1)
        return rng.choice(
            (
                word[:at] + word[at + 1] + word[at] + word[at + 2 :],
                word[:at] + word[at + 1 :],
                word[: at + 1] + word[at:],
            )
        )

    return _WORD.sub(mistaken, text)


def _renamed(text: str) -> str:
    """Return the text with each name replaced by the next of its list."""
    others = {word: words[at - 1] for words in map(lists().__getitem__, _NAMED) for at, word in enumerate(words)}
    known = re.compile(r"\b(?:" + "|".join(map(re.escape, sorted(others, key=len, reverse=True))) + r")\b")
    return known.sub(lambda found: others[found[0]], text)


def _with_system_prompt(text: str) -> str:
    return f"{text}\n{_SYSTEM_PROMPT}"


DISTURBANCES: Final[Mapping[str, Callable[[str], str]]] = {
    "upper case": str.upper,
    "lower case": str.lower,
    "a typing mistake in one of ten words": _typed,
    "other names and things": _renamed,
    "with a system prompt behind it": _with_system_prompt,
}
