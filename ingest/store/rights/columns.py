"""Columns of an export: packed arrays with names and types, and the Python values that they stand for."""

from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, date, datetime
from enum import Enum
from typing import NamedTuple, Protocol
from uuid import UUID

import numpy as np
import numpy.typing as npt

_ID_CHARS = 36
_DASHES = ((0, 8, 0), (8, 12, 9), (12, 16, 14), (16, 20, 19), (20, 32, 24))  # Digits, and where they go.


class Kind(Enum):
    """The type of a column in every format."""

    INTEGER = "integer"  # 64 bits.
    BOOLEAN = "boolean"
    TIME = "time"  # UTC, microseconds.
    DAY = "day"
    ID = "id"  # A UUID.
    TERM = "term"  # A word of a vocabulary or of a closed list: few different values.
    TEXT = "text"  # Any other short string.
    TAGS = "tags"  # Pairs of a key and a value.
    INTEGERS = "integers"  # A list of them.
    TEXTS = "texts"


class Field(NamedTuple):
    """A column's name and type."""

    name: str
    kind: Kind


class Values(Protocol):
    """The values of a column."""

    def plain(self) -> Sequence[object]:
        """Return the values as JSON has them: times and ids as text, None for an unknown one."""
        ...

    def part(self, first: int, end: int) -> "Values":
        """Return the values from a row on and before another."""
        ...


class Numbers(NamedTuple):
    """Integers or booleans; `known` is False where a value is unknown, and None if all are known."""

    array: npt.NDArray[np.int64] | npt.NDArray[np.bool_]
    known: npt.NDArray[np.bool_] | None = None

    def plain(self) -> Sequence[object]:
        values: list[object] = self.array.tolist()
        if self.known is None:
            return values
        return [value if known else None for value, known in zip(values, self.known.tolist(), strict=True)]

    def part(self, first: int, end: int) -> "Numbers":
        return Numbers(self.array[first:end], None if self.known is None else self.known[first:end])


class Times(NamedTuple):
    """Microseconds since 1970."""

    array: npt.NDArray[np.int64]

    def plain(self) -> Sequence[object]:
        times = self.array.view("M8[us]")
        values: list[object] = np.char.add(np.datetime_as_string(times, unit="us"), "Z").tolist()
        return values

    def part(self, first: int, end: int) -> "Times":
        return Times(self.array[first:end])


class Ids(NamedTuple):
    """UUIDs, 16 bytes each."""

    raw: bytes

    def plain(self) -> Sequence[object]:
        digits = np.frombuffer(self.raw.hex().encode(), np.uint8).reshape(-1, 32)
        text = np.full((len(digits), _ID_CHARS), ord("-"), np.uint8)
        for first, end, place in _DASHES:
            text[:, place : place + end - first] = digits[:, first:end]
        values: list[object] = text.view(f"S{_ID_CHARS}").ravel().astype(f"U{_ID_CHARS}").tolist()
        return values

    def part(self, first: int, end: int) -> "Ids":
        return Ids(self.raw[16 * first : 16 * end])


class Terms(NamedTuple):
    """Places in a list of names; a name that is None is unknown."""

    places: npt.NDArray[np.int32]
    names: list[str | None]

    def plain(self) -> Sequence[object]:
        names = self.names
        return [names[place] for place in self.places.tolist()]

    def part(self, first: int, end: int) -> "Terms":
        return Terms(self.places[first:end], self.names)


class Tags(NamedTuple):
    """Places in a list of different sets of tags."""

    places: npt.NDArray[np.int32]
    sets: list[dict[str, str]]

    def plain(self) -> Sequence[object]:
        sets = self.sets
        return [sets[place] for place in self.places.tolist()]

    def part(self, first: int, end: int) -> "Tags":
        return Tags(self.places[first:end], self.sets)


class Objects(NamedTuple):
    """Values as PostgreSQL's driver returns them."""

    values: list[object]

    def plain(self) -> Sequence[object]:
        return [_plain(each) for each in self.values]

    def part(self, first: int, end: int) -> "Objects":
        return Objects(self.values[first:end])


def _plain(value: object) -> object:
    match value:
        case datetime():
            return f"{value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"
        case date():
            return value.isoformat()
        case UUID():
            return str(value)
        case list():
            return [_plain(each) for each in value]
        case _:
            return value


class Block(NamedTuple):
    """Some rows as columns; `place` is the key of the last row that was looked at, after which a reader goes on."""

    fields: tuple[Field, ...]
    columns: tuple[Values, ...]
    rows: int
    place: str

    def parts(self, rows_max: int) -> "Iterator[Block]":
        """Yield the rows by so many."""
        for first in range(0, self.rows, rows_max):
            end = min(first + rows_max, self.rows)
            yield self._replace(columns=tuple(each.part(first, end) for each in self.columns), rows=end - first)

    def sums(self, names: Collection[str]) -> dict[str, int]:
        """Return the sums of columns of integers; unknown values count as 0."""
        return {
            field.name: _sum(column)
            for field, column in zip(self.fields, self.columns, strict=True)
            if field.name in names
        }


def _sum(column: Values) -> int:
    match column:
        case Numbers(array, known):
            return int((array if known is None else array[known]).sum())
        case _:
            return sum(each for each in column.plain() if isinstance(each, int))


def named(ids: npt.NDArray[np.int64], names: dict[int, str]) -> Terms:
    """Return names for ids."""
    found, places = np.unique(ids, return_inverse=True)
    return Terms(places.astype(np.int32), [names.get(each) for each in found.tolist()])
