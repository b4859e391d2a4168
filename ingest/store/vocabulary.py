"""Acts on a tenant's terms: those of an operator, and those caused by the tenant's traffic, within a budget."""

from collections import Counter
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import NamedTuple, Self

import asyncpg

from ingest.store import acts, erased_words
from ingest.store.acts import Act
from ingest.store.audit import Audit
from ingest.store.connections import Connection
from ingest.store.errors import BudgetSpent, VocabularyFull
from schema import limits
from schema.event import OWN_IDS, Kind
from schema.gauntlet import fault
from schema.learning import Candidate, is_learnable
from schema.vocabulary import UNKNOWN, Mode

_FIND = """
SELECT tenant_id, term_id, retired_at IS NOT NULL AS is_retired FROM vocabulary
WHERE tenant_id IN (0, $1) AND kind = $2 AND parent_id = $3 AND term = $4 ORDER BY tenant_id LIMIT 1
"""
_NEXT_ID = "SELECT coalesce(max(term_id), $3::integer - 1) + 1 FROM vocabulary WHERE tenant_id = $1 AND kind = $2"
_ADD = """
INSERT INTO vocabulary (tenant_id, kind, term_id, parent_id, term, learned, revision)
VALUES ($1, $2, $3, $4, $5, false, $6)
"""
# The writer may not set `learned`: every term that it adds has the default, true.
_ADD_LEARNED = """
INSERT INTO vocabulary (tenant_id, kind, term_id, parent_id, term, revision) VALUES ($1, $2, $3, $4, $5, $6)
"""
_REVIVE = """
UPDATE vocabulary SET retired_at = NULL, revision = $5
WHERE tenant_id = $1 AND kind = $2 AND parent_id = $3 AND term = $4
"""
_RETIRE = """
UPDATE vocabulary SET retired_at = now(), revision = $5
WHERE tenant_id = $1 AND kind = $2 AND parent_id = $3 AND term = $4 AND retired_at IS NULL
RETURNING term_id
"""
_LIST = """
SELECT kind, parent_id, term_id, term, learned, created_at FROM vocabulary
WHERE tenant_id = $1 AND retired_at IS NULL
ORDER BY kind, parent_id, term
"""


class Outcome(Enum):
    """The result of registering a term that no rule bars."""

    REGISTERED = "registered"
    KNOWN = "registered before"
    SHIPPED = "shipped anyway"


async def add(connection: Connection, tenant_id: int, candidate: Candidate) -> str | None:
    """Register a term after the gauntlet; return the rule that barred it, or None. Adding it again changes nothing."""
    added = await register(connection, tenant_id, candidate)
    return added if isinstance(added, str) else None


async def register(connection: Connection, tenant_id: int, candidate: Candidate) -> Outcome | str:
    """Register a term after the gauntlet; return the outcome, or the rule that barred it."""
    kind, parent, term = candidate
    found = await connection.fetchrow(_FIND, tenant_id, kind, parent, term)
    if found is not None and not found["is_retired"]:  # Terms of the catalogue need neither gauntlet nor act.
        return Outcome.KNOWN if found["tenant_id"] else Outcome.SHIPPED
    rule = fault(kind, term)
    async with acts.act(connection) as act:
        if rule is not None:
            await act.note(tenant_id, "vocabulary.refuse", kind, rule=rule)
            return rule
        found = await connection.fetchrow(_FIND, tenant_id, kind, parent, term)
        if found is None:
            await _insert(act, tenant_id, candidate, learned=False)
        elif found["is_retired"]:
            await connection.execute(_REVIVE, tenant_id, kind, parent, term, act.revision)
            await act.note(tenant_id, "vocabulary.add", kind, found["term_id"])
        else:
            return Outcome.KNOWN
    return Outcome.REGISTERED


async def declare_tag(connection: Connection, tenant_id: int, key: str) -> str | None:
    """Opt in to a tag key, with `unknown` as its first value; return the rule that barred it, or None."""
    rule = await add(connection, tenant_id, Candidate(Kind.TAG_KEY, 0, key))
    if rule is not None:
        return rule
    parent = await tag_key_id(connection, tenant_id, key)
    assert parent is not None
    async with acts.act(connection) as act:
        if await connection.fetchrow(_FIND, tenant_id, Kind.TAG_VALUE, parent, UNKNOWN) is None:
            await _insert(act, tenant_id, Candidate(Kind.TAG_VALUE, parent, UNKNOWN), learned=False)
    return None


async def tag_key_id(connection: Connection, tenant_id: int, key: str) -> int | None:
    """Return the id of a declared tag key, or None."""
    found = await connection.fetchrow(_FIND, tenant_id, Kind.TAG_KEY, 0, key)
    return None if found is None or found["is_retired"] else int(found["term_id"])


async def remove(connection: Connection, tenant_id: int, candidate: Candidate) -> bool:
    """Refuse a term from now on; return whether it was registered. Rows keep it, and `unknown` is never removed."""
    if candidate.term == UNKNOWN:
        return False
    kind, parent, term = candidate
    async with acts.act(connection) as act:
        term_id = await connection.fetchval(_RETIRE, tenant_id, kind, parent, term, act.revision)
        if term_id is not None:
            await act.note(tenant_id, "vocabulary.remove", kind, term_id)
    return term_id is not None


async def list_all(connection: Connection, tenant_id: int) -> list[asyncpg.Record]:
    return await connection.fetch(_LIST, tenant_id)


_LEARNED = """
SELECT count(*) AS ever, count(*) FILTER (WHERE created_at >= date_trunc('day', now(), 'UTC')) AS today
FROM vocabulary WHERE tenant_id = $1 AND kind = $2 AND learned
"""


async def learn(connection: Connection, tenant_id: int, candidates: Iterable[Candidate]) -> dict[Candidate, int]:
    """Register the terms that came with a tenant's traffic, all or none; raises BudgetSpent.

    The row lock on the revision keeps the counts right across all workers.
    """
    wanted = sorted(candidates)
    if max(Counter(candidate.kind for candidate in wanted).values()) > limits.LEARN_PER_DAY_MAX:
        raise BudgetSpent  # Before anything is locked or written.
    learned = {}
    async with acts.act(connection) as act:
        for candidate in wanted:
            kind, parent, term = candidate
            assert is_learnable(kind, term)
            found = await connection.fetchrow(_FIND, tenant_id, kind, parent, term)
            if found is not None and found["is_retired"]:
                raise BudgetSpent  # An operator removed it: traffic cannot restore it.
            if found is None:
                if await erased_words.has(connection, tenant_id, candidate):
                    raise BudgetSpent  # Nor one that was erased.
                (spent,) = await connection.fetch(_LEARNED, tenant_id, kind)
                if spent["ever"] >= limits.LEARN_TOTAL_MAX or spent["today"] >= limits.LEARN_PER_DAY_MAX:
                    raise BudgetSpent
            learned[candidate] = (
                await _insert(act, tenant_id, candidate, learned=True) if found is None else int(found["term_id"])
            )
    return learned


class Left(NamedTuple):
    """Terms of a kind that traffic may still register for the tenant that has the fewest left, today and ever."""

    daily: int
    total: int

    @classmethod
    def of(cls, kind: Kind, today: int, ever: int, next_id: int) -> Self:
        """Return what the terms that were learned today and ever have left, before the ids are used up."""
        total = min(limits.LEARN_TOTAL_MAX - ever, OWN_IDS[kind].stop - next_id)
        return cls(max(0, min(limits.LEARN_PER_DAY_MAX - today, total)), max(0, total))


_SPENT = """
SELECT kind, max(today) AS today, max(ever) AS ever, max(next_id) AS next_id
FROM (
    SELECT tenant_id, kind, max(term_id) + 1 AS next_id, count(*) FILTER (WHERE learned) AS ever,
        count(*) FILTER (WHERE learned AND vocabulary.created_at >= date_trunc('day', now(), 'UTC')) AS today
    FROM vocabulary
    JOIN tenants USING (tenant_id)
    WHERE NOT disabled AND $1 = CASE kind
        WHEN 1 THEN task_category_mode WHEN 2 THEN provider_mode WHEN 3 THEN model_mode WHEN 5 THEN tag_value_mode END
    GROUP BY tenant_id, kind
) AS spent
GROUP BY kind
"""
WHOLE: Mapping[Kind, Left] = {
    kind: Left(limits.LEARN_PER_DAY_MAX, min(limits.LEARN_TOTAL_MAX, len(OWN_IDS[kind])))
    for kind in (Kind.TASK_CATEGORY, Kind.PROVIDER, Kind.MODEL, Kind.TAG_VALUE)
}
BUDGETS_TIMEOUT_S = 2.0  # It shares the snapshot's connection, and must not delay the snapshot.


async def budgets_left(connection: Connection) -> Mapping[Kind, Left]:
    """Return what is left of each kind, over the tenants that learn it; empty if the database is too busy."""
    try:
        spent = await connection.fetch(_SPENT, Mode.LEARN, timeout=BUDGETS_TIMEOUT_S)
    except (TimeoutError, asyncpg.LockNotAvailableError, asyncpg.QueryCanceledError):
        return {}
    return {
        **WHOLE,
        **{Kind(row["kind"]): Left.of(Kind(row["kind"]), row["today"], row["ever"], row["next_id"]) for row in spent},
    }


async def audit_refusal(connection: Connection, tenant_id: int, rule: str) -> None:
    """Write an audit line about a rule that barred a term in traffic: the rule, but not the term."""
    await Audit(connection).note(tenant_id, "vocabulary.refuse", rule=rule)


async def _insert(act: Act, tenant_id: int, candidate: Candidate, *, learned: bool) -> int:
    kind, parent, term = candidate
    term_id = await act.connection.fetchval(_NEXT_ID, tenant_id, kind, OWN_IDS[kind].start)
    if term_id not in OWN_IDS[kind]:
        raise VocabularyFull
    statement, name = (_ADD_LEARNED, "vocabulary.learn") if learned else (_ADD, "vocabulary.add")
    await act.connection.execute(statement, tenant_id, kind, term_id, parent, term, act.revision)
    await act.note(tenant_id, name, kind, term_id)
    return int(term_id)
