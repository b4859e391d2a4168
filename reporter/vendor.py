"""Writes src/nocontent_reporter/contract.py, the part of `schema/` that a reporter needs, as data.

A reporter runs in proxies of other people, so it brings nothing of the server's: no msgspec, no catalogue. Run
`python -m reporter.vendor` after a change of the contract; `make reporter` does so, and a test compares.
"""

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import get_args

from msgspec import inspect

from schema import limits
from schema.event import DROP_REASONS, Event, Status, StopReason
from schema.rules import NAMES, SECRETS
from schema.vocabulary import GRAMMAR

TARGET = Path(__file__).parent / "src/nocontent_reporter/contract.py"
BOUNDS = (
    "WIRE_BYTES_MAX", "BODY_BYTES_MAX", "EVENTS_MAX", "VIOLATIONS_MAX", "SEQUENCE_MAX", "DROPPED_MAX", "TAGS_MAX",
    "MODEL_CHARS_MAX", "TERM_CHARS_MAX", "STREAM_MS_MAX", "AHEAD_MS_MAX",
)  # fmt: skip
_HEAD = '''"""The contract's bounds, words and rules, copied from the server's by reporter/vendor.py: do not edit."""

# fmt: off
'''


def render() -> str:
    """Return the module's text."""
    return "\n".join([_HEAD, *_lines(), ""])


def _lines() -> Iterator[str]:
    for name in BOUNDS:
        yield f"{name} = {getattr(limits, name)}"
    yield ""
    yield "# Integers: lowest, highest, and whether null stands for unknown."
    yield f"INTEGERS = {_table(_integers())}"
    yield f"BOOLEANS = {_flags()!r}"
    yield f"STATUSES = {get_args(Status)!r}"
    yield f"STOP_REASONS = {get_args(StopReason)!r}"
    yield f"DROP_REASONS = {DROP_REASONS!r}"
    yield ""
    yield "# Patterns of terms, by kind, and of what looks like a credential, by rule."
    yield f"GRAMMAR = {_table((kind.name.lower(), pattern) for kind, pattern in GRAMMAR.items())}"
    yield f"SECRETS = {_table((rule.id, rule.pattern.pattern) for rule in SECRETS if rule.pattern)}"
    yield "# Rules of names of content and credentials, as `normalised` writes them."
    yield f"NAMES = {_table((rule.id, ' '.join(sorted(rule.names))) for rule in NAMES)}"


def _table(rows: Iterable[tuple[str, object]]) -> str:
    return "".join(["{\n", *(f"    {name!r}: {value!r},\n" for name, value in rows), "}"])


def _integers() -> Iterator[tuple[str, tuple[int, int, bool]]]:
    for name, kinds in _fields():
        for kind in kinds:
            if isinstance(kind, inspect.IntType):
                assert kind.ge is not None
                assert kind.le is not None
                yield name, (int(kind.ge), int(kind.le), any(isinstance(each, inspect.NoneType) for each in kinds))


def _flags() -> tuple[str, ...]:
    return tuple(name for name, kinds in _fields() if isinstance(kinds[0], inspect.BoolType))


def _fields() -> Iterator[tuple[str, tuple[inspect.Type, ...]]]:
    """Yield each field of an event with the types that it may have."""
    struct = inspect.type_info(Event)
    assert isinstance(struct, inspect.StructType)
    for field in struct.fields:
        kinds = field.type.types if isinstance(field.type, inspect.UnionType) else (field.type,)
        yield field.name, tuple(kind.type if isinstance(kind, inspect.Metadata) else kind for kind in kinds)


if __name__ == "__main__":
    text = render()
    assert re.search(r"[^\x20-\x7e\n]", text) is None
    TARGET.write_text(text, "ascii")
    sys.stdout.write(f"{TARGET.name} has the contract of this checkout\n")
