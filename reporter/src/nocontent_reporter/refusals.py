"""Finds the events that the violations of a refused batch point at."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from nocontent_reporter.columns import Columns
from nocontent_reporter.connection import Violation

_POINTER = re.compile(r"/(columns/[a-z_0-9]+|terms|tag_sets)/([0-9]{1,9})(?:/.*)?\Z")
UNKNOWN_TERMS = frozenset({
    "vocabulary.unknown-task-category", "vocabulary.unknown-provider", "vocabulary.unknown-model",
    "vocabulary.undeclared-tag-key", "vocabulary.unknown-tag-value", "vocabulary.budget",
})  # fmt: skip
AHEAD = "time.in-future"


class Blame(NamedTuple):
    """The places of events to take out: to wait for terms, to wait for their time, and to lose, with the rule."""

    unknown: frozenset[int]
    ahead: frozenset[int]
    refused: dict[int, str]

    @property
    def places(self) -> frozenset[int]:
        return self.unknown | self.ahead | self.refused.keys()


def blame(batch: Columns, violations: Iterable[Violation]) -> Blame:
    """Return the events that violations point at. One that breaks a rule for good is lost, whatever else it breaks."""
    unknown: set[int] = set()
    ahead: set[int] = set()
    refused: dict[int, str] = {}
    for violation in violations:
        places = _places(batch, violation.pointer)
        if violation.rule in UNKNOWN_TERMS:
            unknown |= places
        elif violation.rule == AHEAD:
            ahead |= places
        else:
            refused |= dict.fromkeys(places - refused.keys(), violation.rule)
    ahead -= refused.keys()
    return Blame(frozenset(unknown - refused.keys() - ahead), frozenset(ahead), refused)


def _places(batch: Columns, pointer: str) -> set[int]:
    found = _POINTER.match(pointer)
    if found is None:
        return set()
    kind, place = found[1], int(found[2])
    if kind == "terms":
        return batch.users_of_term(place)
    if kind == "tag_sets":
        return batch.users_of_tags(place)
    return {place} if place < len(batch.columns["event_id"]) else set()
