"""The measured terms: real ones that must pass, made ones and keys that must not; SOURCES.md has the sources."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from schema.event import Kind
from tests.gauntlet import keys

_HERE = Path(__file__).parent
# Files of `real/`, with what their terms are terms of.
REAL = {
    "models_of_price_tables": Kind.MODEL,
    "models_of_a_hub": Kind.MODEL,
    "deployments": Kind.MODEL,
    "fine_tunes": Kind.MODEL,
    "providers": Kind.PROVIDER,
    "tasks": Kind.TASK_CATEGORY,
    "tags": Kind.TAG_VALUE,
    "benchmarks": Kind.TAG_VALUE,
    "cloud_services": Kind.TAG_VALUE,
    "regions": Kind.TAG_VALUE,
    "machine_types": Kind.TAG_VALUE,
    "locales": Kind.TAG_VALUE,
}
MADE = (
    "prompts",
    "prompts_of_other_languages",
    "instructions",
    "sentences",
    "joined",
    "people",
    "addresses",
    "numbers_of_people",
    "passwords",
)


class Class(NamedTuple):
    """Terms of one sort."""

    group: str
    name: str
    kinds: tuple[Kind, ...]  # Each term is tried as each of them.
    terms: tuple[str, ...]


def classes() -> list[Class]:
    """Return the whole corpus. A made term is tried as a model, whose grammar is the widest, and as a tag value."""
    both = (Kind.MODEL, Kind.TAG_VALUE)
    return [
        *(Class("real", name, (kind,), _read("real", name)) for name, kind in REAL.items()),
        *(Class("made", name, both, _read("made", name)) for name in MADE),
        Class("keys", "keys of known makers", both, _keys(keys.KNOWN)),
        Class("keys", "keys without a mark", both, _keys(keys.UNKNOWN)),
    ]


def is_of_second_half(term: str) -> bool:
    """Return whether a term belongs to the second half of its class."""
    return crc32(term.encode()) % 2 == 1


def _read(folder: str, name: str) -> tuple[str, ...]:
    return tuple((_HERE / folder / f"{name}.txt").read_text("ascii").split())


def _keys(families: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(key for name, template in families.items() for key in keys.made(name, template))
