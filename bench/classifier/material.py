"""Names, numbers and tables, made by a seeded generator: what prompts carry and no list can hold."""

from collections.abc import Callable, Mapping
from random import Random

_NOUNS = """
total count items result value index user node left right buffer order price cache path key row text data size
""".split()
_VERBS = "get find compute parse merge load sum check make read split send update filter build count sort".split()
_HEADS = "month region revenue users churn cost visits units city rating".split()
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug".split()


def _identifier(rng: Random) -> str:
    verb, noun = rng.choice(_VERBS), rng.choice(_NOUNS)
    return rng.choice((f"{verb}_{noun}", f"{verb}{noun.capitalize()}"))


def _argument(rng: Random) -> str:
    return rng.choice(_NOUNS)


def _number(rng: Random) -> str:
    return str(rng.choice((rng.randint(2, 20), rng.randint(10, 99), rng.randint(100, 999), rng.randint(1_000, 9_999))))


def _digit(rng: Random) -> str:
    return str(rng.randint(2, 9))


def _csv(rng: Random) -> str:
    heads = rng.sample(_HEADS, 3)
    mark = rng.choice((",", " | ", "\t"))
    months = _MONTHS[: rng.randint(3, len(_MONTHS))]
    rows = [mark.join((month, *(str(rng.randint(1, 9_999)) for _ in heads[1:]))) for month in months]
    return "\n".join((mark.join(heads), *rows))


MATERIAL: Mapping[str, Callable[[Random], str]] = {
    "identifier": _identifier,
    "argument": _argument,
    "n": _number,
    "digit": _digit,
    "csv": _csv,
}
# Drawn once for a frame, since a program says the same name more than once.
NAMES: Mapping[str, Callable[[Random], str]] = {"name": _identifier, "one": _argument, "two": _argument}
