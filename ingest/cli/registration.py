"""Register the terms of a command or file and report the outcome, naming terms by place and never by value."""

import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from tqdm import tqdm

from ingest.logs import stdio
from ingest.store import vocabulary
from ingest.store.connections import Connection
from ingest.store.errors import VocabularyFull
from ingest.store.vocabulary import Outcome
from schema.event import OWN_IDS, Kind
from schema.learning import Candidate
from schema.rules import RULES

_LONG = 10  # From this many terms on, show a progress bar.


class Given(NamedTuple):
    """Terms by their places, and the word for a place."""

    place: str
    terms: Mapping[int, str]


async def register(connection: Connection, tenant_id: int, kind_and_parent: tuple[Kind, int], given: Given) -> int:
    """Register the terms that there are ids left for, print the counts, and return the exit status."""
    kind, parent = kind_and_parent
    counts: Counter[Outcome | None] = Counter()
    roomless: list[int] = []
    terms = given.terms.items()
    for place, term in tqdm(terms, unit="term", disable=not sys.stderr.isatty() or len(terms) < _LONG):
        try:
            added = await vocabulary.register(connection, tenant_id, Candidate(kind, parent, term))
        except VocabularyFull:  # Later terms may be registered already, so go on.
            roomless.append(place)
            continue
        say_refused(given.place, place, added if isinstance(added, str) else None)
        counts[added if isinstance(added, Outcome) else None] += 1
    said = [
        f"{counts[outcome]} {outcome.value}" for outcome in Outcome if counts[outcome] or outcome is Outcome.REGISTERED
    ]
    print(", ".join([*said, f"{counts[None]} refused", *([f"{len(roomless)} without an id"] if roomless else [])]))
    if roomless:
        stdio.tell(
            f"nocontent: no id left for {given.place} {spans(roomless)}: the tenant's {len(OWN_IDS[kind]):,} ids"
            " of this kind are used up, and ids are never reassigned; terms registered before are kept"
        )
    return 1 if counts[None] or roomless else 0


def say_refused(name: str, place: int, rule: str | None) -> int:
    if rule is None:
        return 0
    stdio.tell(f"nocontent: {name} {place}: {rule}: {RULES[rule].says}")
    return 1


def spans(places: Iterable[int]) -> str:
    """Format ascending numbers as spans: 3-5, 9."""
    found: list[list[int]] = []
    for place in places:
        if found and place == found[-1][1] + 1:
            found[-1][1] = place
        else:
            found.append([place, place])
    return ", ".join(f"{first}-{last}" if last > first else f"{first}" for first, last in found)
