"""Letters are deleted 90 days of the horizon after they ended, and none that is still on its way."""

from datetime import datetime, timedelta
from uuid import uuid4

from ingest.store import connections, partitions
from ingest.store.connections import Connection
from tests.support.cluster import RETENTION_DAYS

_ADD_PERSON = """
INSERT INTO people (tenant_id, email, name, role) VALUES (1, 'owner@example.com', 'The owner', 'owner')
RETURNING person_id
"""
_ADD_LETTER = """
INSERT INTO outbox (tenant_id, letter_id, kind, person_id, ids, numbers, cause, state, changed_at)
VALUES (1, $1, 'invoice', $2, '{}', '{}', $1, $3, $4)
"""


async def test_a_letter_goes_90_days_after_it_ended_and_not_before(database: str, owner: Connection) -> None:
    today: datetime = await owner.fetchval(
        "SELECT (horizon + retention_days)::timestamp AT TIME ZONE 'UTC' FROM retention"
    )
    await owner.execute("INSERT INTO tenants (tenant_id, name, revision) OVERRIDING SYSTEM VALUE VALUES (1, 'acme', 0)")
    person = await owner.fetchval(_ADD_PERSON)
    kept, gone = today - timedelta(89), today - timedelta(91)
    for state in ("sent", "bounced", "refused", "given-up", "unsure", "suppressed", "over-limit"):
        await owner.execute(_ADD_LETTER, uuid4(), person, state, kept)
        await owner.execute(_ADD_LETTER, uuid4(), person, state, gone)
    for state in ("pending", "sending"):
        await owner.execute(_ADD_LETTER, uuid4(), person, state, gone)
    async with connections.connected(database, "nocontent_maintainer") as maintainer:
        await partitions.keep(maintainer, RETENTION_DAYS)
    left = await owner.fetch("SELECT state, changed_at FROM outbox")
    assert len(left) == 9
    assert {row["state"] for row in left if row["changed_at"] == gone} == {"pending", "sending"}
