"""The prompts: templates filled with words and material, by a seeded generator.

There are five folds. A template belongs to one of them, and so does a word of a longer list: a model that is trained
without a fold has seen neither the sentences of its prompts nor what fills them.
"""

import hashlib
import re
from binascii import crc32
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

from bench.classifier.material import MATERIAL, NAMES

FOLDER: Final = Path(__file__).parent
CATEGORIES: Final = tuple(sorted(path.stem for path in (FOLDER / "prompts").glob("*.txt")))
FOLDS: Final = 5

_EACH: Final = 12  # Prompts of a template.
_SPLIT_FROM: Final = 10  # A list with fewer words (colours) is shared by all folds.
_SENTENCES_MAX: Final = 9
_LINES: Final = frozenset({"dialogue", "log"})
_LONG: Final = _LINES | {"prose", "prose_de", "prose_fr", "prose_es", "prose_zh", "review"}
_DECORATED: Final = 0.3
_SYSTEM_SENTENCES_MAX: Final = 5

_CHOICE: Final = re.compile(r"\[([^\[\]]*\|[^\[\]]*)\]")
_SLOT: Final = re.compile(r"\{([a-z_]+)\}")


class Part(NamedTuple):
    """The prompts of one fold, or those of all others."""

    fold: int | None  # None: there is no fold that is held out.
    is_held_out: bool = False

    def of(self, lines: Sequence[str]) -> list[str]:
        """Return the lines that belong to this part; by the order of their hashes, so that folds are of one size."""
        ordered = sorted(lines, key=_hashed)
        if self.fold is None:
            return ordered
        return [line for at, line in enumerate(ordered) if (at % FOLDS == self.fold) == self.is_held_out]


EVERYTHING: Final = Part(None)


class Prompt(NamedTuple):
    """A prompt and the category that it was written for."""

    text: str
    category: str


@cache
def prompts(part: Part) -> tuple[Prompt, ...]:
    """Return the prompts of a part, always the same."""
    return tuple(_prompts(part))


def by_hand() -> list[Prompt]:
    """Return the prompts that were written one by one, after the model and without regard to templates."""
    lines = (FOLDER / "by_hand.txt").read_text("utf-8").splitlines()
    pairs = (line.split(": ", 1) for line in lines)
    return [Prompt(text.replace("\\n", "\n"), category) for category, text in pairs]


def digest(part: Part) -> bytes:
    """Return the SHA-256 of a part, to tell whether weights are of these prompts."""
    text = "\0".join(f"{prompt.category}\0{prompt.text}" for prompt in prompts(part))
    return hashlib.sha256(text.encode()).digest()


def _prompts(part: Part) -> Iterator[Prompt]:
    for category in CATEGORIES:
        lines = (FOLDER / "prompts" / f"{category}.txt").read_text("utf-8").splitlines()
        for template in part.of(lines):
            rng = Random(_hashed(f"{category} {template}"))
            seen = set()
            for _ in range(_EACH):
                text = _decorated(_filled(template, part, rng), part, rng)
                if text not in seen:
                    seen.add(text)
                    yield Prompt(text, category)


def _filled(template: str, part: Part, rng: Random) -> str:
    chosen = _CHOICE.sub(lambda found: rng.choice(found[1].split("|")), template).replace("\\n", "\n")
    names = {name: draw(rng) for name, draw in NAMES.items()} if "{name}" in chosen or "{one}" in chosen else {}
    return _SLOT.sub(lambda found: names.get(found[1]) or _value(found[1], part, rng), chosen)


def _value(name: str, part: Part, rng: Random) -> str:
    if name in MATERIAL:
        return MATERIAL[name](rng)
    if name == "person_lower":
        return _value("person", part, rng).lower()
    if name not in _passages():
        return rng.choice(_words(name, part))
    count = rng.randint(1, _SENTENCES_MAX) if name in _LONG else 1
    frames = _frames(name, part)
    return ("\n" if name in _LINES else " ").join(_filled(rng.choice(frames), part, rng) for _ in range(count))


def _decorated(text: str, part: Part, rng: Random) -> str:
    """Put before or after it what many prompts have, whatever they ask for."""

    def one_of(name: str) -> str:
        return _filled(rng.choice(_words(name, part)), part, rng)

    if rng.random() < _DECORATED:
        text = f"{one_of('before')}{rng.choice((' ', chr(10)))}{text}"
    if rng.random() < _DECORATED:
        text = f"{text}{rng.choice((' ', chr(10)))}{one_of('after')}"
    if rng.random() < _DECORATED:  # A sample ends with the beginning of the system prompt.
        text += "\n" + " ".join(one_of("system") for _ in range(rng.randint(1, _SYSTEM_SENTENCES_MAX)))
    return text


@cache
def _words(name: str, part: Part) -> Sequence[str]:
    return _share(lists()[name], part)


@cache
def _frames(name: str, part: Part) -> Sequence[str]:
    return _share(_passages()[name], part)


def _share(lines: Sequence[str], part: Part) -> Sequence[str]:
    return lines if len(lines) < _SPLIT_FROM else part.of(lines)


@cache
def lists() -> Mapping[str, Sequence[str]]:
    """Return the lists of words that fill templates, by name."""
    found = {}
    for file in ("words.txt", "decorations.txt"):
        for line in (FOLDER / file).read_text("utf-8").splitlines():
            name, words = line.split(": ", 1)
            found[name] = [word.strip() for word in words.split(" | ")]
    return found


@cache
def _passages() -> Mapping[str, Sequence[str]]:
    found: dict[str, list[str]] = {}
    for line in (FOLDER / "passages.txt").read_text("utf-8").splitlines():
        if not line.startswith("#"):
            name, frame = line.split(": ", 1)
            found.setdefault(name, []).append(frame)
    return found


def _hashed(text: str) -> int:
    return crc32(text.encode())
