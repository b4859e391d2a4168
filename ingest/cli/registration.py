"""Register the terms of a command or file and print the outcome, naming terms by place and never by value."""

import sys
from collections.abc import Mapping
from typing import NamedTuple

from tqdm import tqdm

from ingest.logs import stdio
from ingest.store import registration
from ingest.store.connections import Connection
from schema.event import Kind

_LONG = 10  # From this many terms on, show a progress bar.


class Given(NamedTuple):
    """Terms by their places, and the word for a place."""

    place: str
    terms: Mapping[int, str]


async def register(connection: Connection, tenant_id: int, kind_and_parent: tuple[Kind, int], given: Given) -> int:
    """Register the terms that there are ids left for, print the counts, and return the exit status."""
    hidden = not sys.stderr.isatty() or len(given.terms) < _LONG
    with tqdm(given.terms.items(), unit="term", disable=hidden) as terms:
        done = await registration.register(connection, tenant_id, kind_and_parent, terms)
    for refused in done.verdicts(given.place):
        stdio.tell(f"nocontent: {refused}")
    print(done.summary())
    if shortage := done.shortage(given.place):
        stdio.tell(f"nocontent: {shortage}")
    return 0 if done.is_whole else 1


def say_refused(name: str, place: int, rule: str | None) -> int:
    if rule is None:
        return 0
    stdio.tell(f"nocontent: {name} {place}: {registration.verdict(rule)}")
    return 1
