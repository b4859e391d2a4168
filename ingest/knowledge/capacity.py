"""Computes how many bits of a sender's choosing one event can hold, field by field: the promise rests on that number.

It walks the wire types, and raises TypeError for a field without a bound.
"""

import math
from typing import NamedTuple

from msgspec import Struct, inspect

from schema import limits
from schema.event import DROP_REASONS, OWN_IDS, TERMS_MAX, Event, Kind, Stream

_DAY_MS = 86_400_000
_UUIDV7_RANDOM_BITS = 74  # RFC 9562, section 5.7: 128 less 48 of time, 4 of version, 2 of variant.
_DIGEST_BITS = 128
_STRINGS_OF_EVENT = 4 + limits.TAGS_MAX  # Each may be replaced by `unknown`.


class FieldBits(NamedTuple):
    """A field and the bits of a stored event that a sender can choose through it."""

    field: str
    bits: float


def of_event(retention_days: int = limits.RETENTION_DAYS_MAX) -> list[FieldBits]:
    """Return the bits of an event; joint limits come last, as negative numbers."""
    bits = {field.encode_name: _bits(field.type, retention_days) for field in _fields(Event)}
    tokens, times = round(2 ** bits["output_tokens"]), round(2 ** bits["latency_ms"])
    joint = [
        FieldBits(
            "reasoning_tokens within output_tokens",
            math.log2(_pairs(tokens)) - bits["output_tokens"] - bits["reasoning_tokens"],
        ),
        # A null ttft_ms is allowed with any latency_ms.
        FieldBits("ttft_ms within latency_ms", math.log2(_pairs(times) + times) - bits["latency_ms"] - bits["ttft_ms"]),
    ]
    return [*(FieldBits(field, held) for field, held in bits.items()), *joint]


def of_batch() -> list[FieldBits]:
    """Return the bits that the ledger keeps of a batch beside its events, whether sent or caused by the sender.

    The digest is of the ids in their order: somebody who knows the ids may find out in which of n! orders they came.
    """
    stream = [
        FieldBits(f"stream.{field.encode_name}", _bits(field.type, limits.RETENTION_DAYS_MAX))
        for field in _fields(Stream)
    ]
    dropped = [FieldBits(f"dropped.{reason}", math.log2(limits.DROPPED_MAX + 1)) for reason in DROP_REASONS]
    order = min(_DIGEST_BITS, math.lgamma(limits.EVENTS_MAX + 1) / math.log(2))
    return [
        *stream,
        *dropped,
        FieldBits("accepted and duplicates", math.log2(_pairs(limits.EVENTS_MAX + 1))),
        FieldBits("coarsened", math.log2(limits.EVENTS_MAX * _STRINGS_OF_EVENT + 1)),
        FieldBits("order of the events", order),
    ]


def total(held: list[FieldBits]) -> float:
    return sum(bits for _, bits in held)


def _pairs(values: int) -> int:
    """Count the pairs of values of which the second is at most the first."""
    return values * (values + 1) // 2


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
        return math.log2(_integers(int(kind.ge), int(kind.le), extra.get("digits")))
    return _coded(extra, retention_days)


def _integers(least: int, most: int, digits: int | None) -> int:
    """Count the integers from one to another; with `digits`, only those that remain after rounding, from 0 or less."""
    if digits is None:
        return most - least + 1
    count, start, step = 0, 0, 1
    while start <= most:
        last = min(most, step * int("9" * digits))  # Of the integers that are a step apart.
        count += (last - start) // step + 1
        start, step = last + step, step * 10
    assert least <= 0
    return count - least


def _coded(extra: dict[str, int], retention_days: int) -> float:
    if "uuid" in extra:
        return math.log2(retention_days * _DAY_MS + limits.AHEAD_MS_MAX) + _UUIDV7_RANDOM_BITS
    if extra.get("kind") == Kind.TAG_VALUE:
        # Any set of up to TAGS_MAX of the tenant's own ids.
        return math.log2(sum(math.comb(len(OWN_IDS[Kind.TAG_VALUE]), tags) for tags in range(limits.TAGS_MAX + 1)))
    if "kind" in extra:
        return math.log2(TERMS_MAX[Kind(extra["kind"])])
    raise TypeError("a field of the contract has no bound")
