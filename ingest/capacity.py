"""How many bits of a stranger's choosing one event can hold, field by field: the number that the promise rests on.

Walks the wire types: a field that nobody bounded has no number, and a TypeError stops whoever asks.
"""

import math
from typing import NamedTuple

from msgspec import Struct, inspect

from schema import limits
from schema.event import TERMS_MAX, Event, Kind

_DAY_MS = 86_400_000
_UUIDV7_RANDOM_BITS = 74  # RFC 9562, section 5.7: 128 less 48 of time, 4 of version, 2 of variant.


class Held(NamedTuple):
    """A field and the bits of a stored event that a sender can choose through it."""

    field: str
    bits: float


def of_event(retention_days: int = limits.RETENTION_DAYS_MAX) -> list[Held]:
    """Sum up an event; joint limits come last, as what they take away."""
    held = [Held(field.encode_name, _bits(field.type, retention_days)) for field in _fields(Event)]
    # reasoning_tokens <= output_tokens and ttft_ms <= latency_ms leave half of the pairs; nullness is counted above.
    return [*held, Held("reasoning_tokens within output_tokens", -1.0), Held("ttft_ms within latency_ms", -1.0)]


def total(held: list[Held]) -> float:
    return sum(bits for _, bits in held)


def _fields(struct: type[Struct]) -> tuple[inspect.Field, ...]:
    kind = inspect.type_info(struct)
    assert isinstance(kind, inspect.StructType)
    return kind.fields


def _bits(kind: inspect.Type, retention_days: int) -> float:
    extra: dict[str, int] = {}
    if isinstance(kind, inspect.Metadata):
        extra, kind = kind.extra or {}, kind.type
    if isinstance(kind, inspect.UnionType):
        return math.log2(sum(2 ** _bits(member, retention_days) for member in kind.types))
    if isinstance(kind, inspect.NoneType):
        return 0.0
    if isinstance(kind, inspect.BoolType):
        return 1.0
    if isinstance(kind, inspect.LiteralType):
        return math.log2(len(kind.values))
    if isinstance(kind, inspect.IntType) and kind.ge is not None and kind.le is not None:
        return math.log2(kind.le - kind.ge + 1)
    return _coded(extra, retention_days)


def _coded(extra: dict[str, int], retention_days: int) -> float:
    if "uuid" in extra:
        return math.log2(retention_days * _DAY_MS + limits.AHEAD_MS_MAX) + _UUIDV7_RANDOM_BITS
    if extra.get("kind") == Kind.TAG_VALUE:
        # Any set of up to TAGS_MAX of the tenant's own half of the ids.
        return math.log2(sum(math.comb(TERMS_MAX[Kind.TAG_VALUE] // 2, tags) for tags in range(limits.TAGS_MAX + 1)))
    if "kind" in extra:
        return math.log2(TERMS_MAX[Kind(extra["kind"])])
    raise TypeError("a field of the contract has no bound")
