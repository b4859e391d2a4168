"""A tenant's vocabulary as its people see it: counts of terms by kind, what learning has left, and lists by pages."""

from typing import Literal, NamedTuple

import asyncpg

from ingest.store.connections import Connection
from ingest.store.vocabulary import WHOLE, Left
from schema.event import OWN_IDS, Kind

Choice = Literal["own", "retired", "shipped"]
PAGE_TERMS_MAX = 200
_CATALOGUE = 0
_COUNTS = """
SELECT kind,
    count(*) FILTER (WHERE tenant_id = $1 AND retired_at IS NULL) AS own,
    count(*) FILTER (WHERE tenant_id = $1 AND retired_at IS NULL AND learned) AS learned,
    count(*) FILTER (WHERE tenant_id = $1 AND retired_at IS NOT NULL) AS retired,
    count(*) FILTER (WHERE tenant_id = 0 AND retired_at IS NULL) AS shipped,
    count(*) FILTER (WHERE tenant_id = $1 AND learned) AS ever,
    count(*) FILTER (WHERE tenant_id = $1 AND learned AND created_at >= date_trunc('day', now(), 'UTC')) AS today,
    max(term_id) FILTER (WHERE tenant_id = $1) + 1 AS next_id
FROM nocontent.vocabulary WHERE tenant_id IN (0, $1) GROUP BY kind
"""
_TAG_KEYS = """
SELECT term_id, term FROM nocontent.vocabulary
WHERE tenant_id = $1 AND kind = $2 AND parent_id = 0 AND retired_at IS NULL ORDER BY term
"""
# By the unique key, whose order no language changes.
_PAGE = """
SELECT term, learned, created_at, retired_at FROM nocontent.vocabulary
WHERE tenant_id = $1 AND kind = $2 AND parent_id = $3 AND term > $4 AND (retired_at IS NOT NULL) = $5
ORDER BY term LIMIT $6
"""


class Counts(NamedTuple):
    """The terms of a kind that a tenant may send or has retired, and what its traffic may still register."""

    own: int = 0
    learned: int = 0  # Of its own.
    retired: int = 0
    shipped: int = 0
    ids_left: int = 0  # For terms that are registered, by traffic or by a person.
    budget: Left | None = None  # None for a kind that is never learned.


async def counts(connection: Connection, tenant_id: int) -> dict[Kind, Counts]:
    """Return the counts of each kind."""
    rows = {Kind(row["kind"]): row for row in await connection.fetch(_COUNTS, tenant_id)}
    return {kind: _counts(kind, rows.get(kind)) for kind in Kind}


def _counts(kind: Kind, row: asyncpg.Record | None) -> Counts:
    if row is None:
        return Counts(ids_left=len(OWN_IDS[kind]), budget=WHOLE.get(kind))
    next_id = max(row["next_id"] or 0, OWN_IDS[kind].start)
    budget = Left.of(kind, row["today"], row["ever"], next_id) if kind in WHOLE else None
    own = (row["own"], row["learned"], row["retired"], row["shipped"])
    return Counts(*own, max(0, OWN_IDS[kind].stop - next_id), budget)


async def tag_keys(connection: Connection, tenant_id: int) -> dict[str, int]:
    """Return the declared tag keys with their ids."""
    return {row["term"]: row["term_id"] for row in await connection.fetch(_TAG_KEYS, tenant_id, Kind.TAG_KEY)}


class TermPage(NamedTuple):
    """Terms in their order, and the last of them if more follow."""

    rows: list[asyncpg.Record]
    next_after: str | None


async def page(
    connection: Connection, tenant_id: int, kind_and_parent: tuple[Kind, int], choice: Choice, after: str
) -> TermPage:
    """Return the terms that follow one: the tenant's own, those it retired, or the shipped ones."""
    of = _CATALOGUE if choice == "shipped" else tenant_id
    query = (of, *kind_and_parent, after, choice == "retired", PAGE_TERMS_MAX + 1)
    rows = await connection.fetch(_PAGE, *query)
    more = len(rows) > PAGE_TERMS_MAX
    return TermPage(rows[:PAGE_TERMS_MAX], rows[PAGE_TERMS_MAX - 1]["term"] if more else None)
