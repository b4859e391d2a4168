"""The words that budgets are about, by scope and id."""

from collections.abc import Iterable, Mapping

from ingest.store.budgets.budgets import KIND_OF, Budget, Scope
from ingest.store.connections import Connection
from schema.event import Kind

_NAMES = """
SELECT word.kind, word.term_id, CASE WHEN key.term IS NULL THEN word.term ELSE key.term || '=' || word.term END AS name
FROM nocontent.vocabulary word
JOIN unnest($2::smallint[], $3::smallint[]) AS wanted (kind, term_id)
    ON wanted.kind = word.kind AND wanted.term_id = word.term_id
LEFT JOIN nocontent.vocabulary key
    ON word.kind = $4 AND key.tenant_id = word.tenant_id AND key.kind = $5 AND key.term_id = word.parent_id
WHERE word.tenant_id IN (0, $1)
"""
_SCOPES = {kind: scope for scope, kind in KIND_OF.items()}
Names = Mapping[tuple[Scope, int], str]


async def read(connection: Connection, tenant_id: int, wanted: Iterable[Budget]) -> Names:
    """Return the words; one that was erased is not there. That of a tag value has its key: `team=search`."""
    terms = {(KIND_OF[each.spec.scope], each.spec.term_id) for each in wanted if each.spec.term_id is not None}
    rows = await connection.fetch(
        _NAMES, tenant_id, [kind for kind, _ in terms], [term_id for _, term_id in terms], Kind.TAG_VALUE, Kind.TAG_KEY
    )
    return {(_SCOPES[Kind(row["kind"])], row["term_id"]): row["name"] for row in rows}


def of(budget: Budget, names: Names) -> str | None:
    """Return the word of a budget, or None for a tenant's, or if it was erased."""
    return None if budget.spec.term_id is None else names.get((budget.spec.scope, budget.spec.term_id))
