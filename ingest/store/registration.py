"""Registers many terms, and reports on each by its place, never by its value."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ingest.store import vocabulary
from ingest.store.connections import Connection
from ingest.store.errors import VocabularyFull
from ingest.store.vocabulary import Outcome
from schema.event import OWN_IDS, Kind
from schema.learning import Candidate
from schema.rules import RULES

KINDS = {"category": Kind.TASK_CATEGORY, "provider": Kind.PROVIDER, "model": Kind.MODEL}
_TAG = "tag:"


class Registration(NamedTuple):
    """The outcome of registering terms of one kind: how many had each, and the places of those without an id."""

    kind: Kind
    counts: Mapping[Outcome, int]
    refused: Mapping[int, str]  # The rule that barred the term, by its place.
    without_id: list[int]

    @property
    def is_whole(self) -> bool:
        return not self.refused and not self.without_id

    def summary(self) -> str:
        """Return the counts in words."""
        counted = [
            f"{self.counts.get(outcome, 0)} {outcome.value}"
            for outcome in Outcome
            if self.counts.get(outcome) or outcome is Outcome.REGISTERED
        ]
        without = [f"{len(self.without_id)} without an id"] if self.without_id else []
        return ", ".join([*counted, f"{len(self.refused)} refused", *without])

    def verdicts(self, place: str) -> list[str]:
        """Return a sentence for each term that was refused; `place` is the word for a place."""
        return [f"{place} {number}: {verdict(rule)}" for number, rule in self.refused.items()]

    def shortage(self, place: str) -> str | None:
        """Return a sentence about the terms that there was no id for, or None."""
        if not self.without_id:
            return None
        return (
            f"no id left for {place} {_spans(self.without_id)}: the tenant's {len(OWN_IDS[self.kind]):,} ids"
            " of this kind are used up, and ids are never reassigned; terms registered before are kept"
        )


async def register(
    connection: Connection, tenant_id: int, kind_and_parent: tuple[Kind, int], terms: Iterable[tuple[int, str]]
) -> Registration:
    """Register the terms that there are ids left for, each an act of its own; `terms` come with their places."""
    kind, parent = kind_and_parent
    counts: Counter[Outcome] = Counter()
    refused: dict[int, str] = {}
    without_id: list[int] = []
    for place, term in terms:
        try:
            added = await vocabulary.register(connection, tenant_id, Candidate(kind, parent, term))
        except VocabularyFull:  # Later terms may be registered already, so go on.
            without_id.append(place)
            continue
        if isinstance(added, str):
            refused[place] = added
        else:
            counts[added] += 1
    return Registration(kind, counts, refused, without_id)


async def kind_named(connection: Connection, tenant_id: int, name: str) -> tuple[Kind, int] | None:
    """Return the kind that `category`, `provider`, `model` or `tag:KEY` names, and the id of a declared key or 0."""
    if name in KINDS:
        return KINDS[name], 0
    key = name.removeprefix(_TAG)
    parent = None if key == name else await vocabulary.tag_key_id(connection, tenant_id, key)
    return None if parent is None else (Kind.TAG_VALUE, parent)


def verdict(rule: str) -> str:
    """Return the id of a rule and what it says."""
    return f"{rule}: {RULES[rule].says}"


def _spans(places: Iterable[int]) -> str:
    """Format ascending numbers as spans: 3-5, 9."""
    found: list[list[int]] = []
    for place in places:
        if found and place == found[-1][1] + 1:
            found[-1][1] = place
        else:
            found.append([place, place])
    return ", ".join(f"{first}-{last}" if last > first else f"{first}" for first, last in found)
