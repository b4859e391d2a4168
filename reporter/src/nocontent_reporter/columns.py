"""Encodes events as the columns of `POST /v1/events`: each distinct string once, everything else an integer.

A body is an object of an envelope (`stream`, `dropped`) and these members. A spool keeps the members; the envelope is
added when the batch is sent.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, cast

from nocontent_reporter import contract, event
from nocontent_reporter.event import Event, Tags

_WORDS = ("task_category", "provider", "requested_model", "routed_model", "status", "stop_reason")
_encoder = json.JSONEncoder(separators=(",", ":"), check_circular=False, allow_nan=False)
_Column = Sequence[object]
DAMAGE = (ValueError, LookupError, TypeError)  # What reading a damaged body raises, from inflating it to its events.


class Columns(NamedTuple):
    """The members of a batch: what violations point at."""

    terms: list[str]
    tag_sets: list[dict[str, str]]
    columns: dict[str, _Column]

    def users_of_term(self, place: int) -> set[int]:
        """Return the places of the events that use a listed term."""
        return {at for name in _WORDS for at, index in enumerate(self.columns[name]) if index == place}

    def users_of_tags(self, place: int) -> set[int]:
        """Return the places of the events that use a listed tag set."""
        return {at for at, index in enumerate(self.columns["tags"]) if index == place}

    def events(self) -> list[Event]:
        """Return the events."""
        columns: dict[str, _Column] = dict(self.columns)
        for name in _WORDS:
            columns[name] = [None if at is None else self.terms[cast(int, at)] for at in columns[name]]
        for name in contract.BOOLEANS:
            columns[name] = [bool(each) for each in columns[name]]
        sets = [tuple(sorted(tags.items())) for tags in self.tag_sets]
        columns["tags"] = [sets[cast(int, at)] for at in columns["tags"]]
        rows = zip(*(columns[name] for name in event.NAMES), strict=True)
        return [Event(**dict(zip(event.NAMES, row, strict=True))) for row in rows]


def of(events: Iterable[Event]) -> Columns:
    """Return the columns of at least one event."""
    columns: dict[str, _Column] = dict(zip(event.NAMES, zip(*map(event.values_of, events), strict=True), strict=True))
    terms: dict[str, int] = {}
    for name in _WORDS:
        words = cast(Sequence[str | None], columns[name])
        columns[name] = [None if word is None else terms.setdefault(word, len(terms)) for word in words]
    for name in contract.BOOLEANS:
        columns[name] = [int(each) for each in cast(Sequence[bool], columns[name])]
    sets: dict[Tags, int] = {}
    tags = cast(Sequence[Tags], columns["tags"])
    columns["tags"] = [sets.setdefault(tuple(sorted(each)), len(sets)) for each in tags]
    return Columns(list(terms), [dict(each) for each in sets], columns)


def encode(events: Iterable[Event]) -> bytes:
    """Return the JSON of at least one event's columns, as the end of a body: without the brace that opens it."""
    return _encoder.encode(of(events)._asdict()).encode("ascii")[1:]


def decode(members: bytes) -> Columns:
    """Return the columns that `encode` encoded."""
    found = json.loads(b"{" + members)
    return Columns(found["terms"], found["tag_sets"], found["columns"])


def envelope(stream_id: str, sequence: int, dropped: Mapping[str, int], *, has_events: bool) -> bytes:
    """Return the beginning of a body, whose end is what `encode` returned, or of losses alone the whole body."""
    members: dict[str, object] = {"stream": {"id": stream_id, "sequence": sequence}}
    if dropped:
        members["dropped"] = dict(dropped)
    whole = _encoder.encode(members).encode("ascii")
    return whole[:-1] + b"," if has_events else whole
