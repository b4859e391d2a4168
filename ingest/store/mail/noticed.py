"""Finds the tenants with people who have not been sent a notice yet."""

from collections.abc import Sequence
from uuid import UUID

from ingest.store.connections import Connection

_LACKING = """
SELECT DISTINCT tenant_id FROM nocontent.people own
WHERE tenant_id > $1 AND role = ANY($2) AND disabled_at IS NULL AND password_changed_at IS NOT NULL AND NOT EXISTS (
    SELECT FROM nocontent.outbox known
    WHERE known.tenant_id = own.tenant_id AND kind = 'subprocessor-notice' AND known.person_id = own.person_id
        AND cause = $3
)
ORDER BY tenant_id LIMIT $4
"""


async def lacking(connection: Connection, after: int, roles: Sequence[str], cause: UUID, count_max: int) -> list[int]:
    """Return the tenants after one that have somebody of a role to whom no letter of a cause was put."""
    rows = await connection.fetch(_LACKING, after, list(roles), cause, count_max)
    return [row["tenant_id"] for row in rows]
