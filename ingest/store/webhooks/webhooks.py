"""The webhooks of a tenant: acts of an operator, acts of the entered session's person, and what both read."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from asyncpg import Record

from ingest.store.connections import Connection
from ingest.store.webhooks.errors import explained
from ingest.store.webhooks.kinds import ANSWERS, KINDS, REASONS, STATES, Answer, EventKind, Reason, State

WEBHOOKS_MAX = 5  # Of a tenant at once, as in schema/sql/0038_add_webhooks.sql.
_RECENT = 50
_ENDED = 1


class WebhookRow(NamedTuple):
    """A webhook; `failing_since` is null if its last delivery was taken."""

    webhook_id: UUID
    url: str
    created_at: datetime
    failing_since: datetime | None
    ended_at: datetime | None
    ended_because: Reason | None


class DeliveryRow(NamedTuple):
    """A delivery as a page shows it: no body, and no more of the answer than its class."""

    delivery_id: UUID
    event: EventKind
    state: State
    answer: Answer | None
    attempts: int
    created_at: datetime
    changed_at: datetime
    not_before: datetime


_LIST = """
SELECT webhook_id, url, created_at, failing_since, ended_at, ended_because
FROM nocontent.webhooks WHERE tenant_id = $1 ORDER BY ended_at IS NOT NULL, created_at, webhook_id
"""
_FIND = """
SELECT webhook_id, url, created_at, failing_since, ended_at, ended_because
FROM nocontent.webhooks WHERE tenant_id = $1 AND webhook_id = $2
"""
_DELIVERIES = """
SELECT delivery_id, event, state, answer, attempts, created_at, changed_at, not_before
FROM nocontent.webhook_deliveries WHERE tenant_id = $1 AND webhook_id = $2
ORDER BY created_at DESC, delivery_id LIMIT $3
"""


async def list_all(connection: Connection, tenant_id: int) -> list[WebhookRow]:
    """Return the webhooks of a tenant, those that have ended last."""
    return [_webhook(row) for row in await connection.fetch(_LIST, tenant_id)]


async def find(connection: Connection, tenant_id: int, webhook_id: UUID) -> WebhookRow | None:
    """Return a webhook of a tenant, or None."""
    row = await connection.fetchrow(_FIND, tenant_id, webhook_id)
    return None if row is None else _webhook(row)


async def deliveries(
    connection: Connection, tenant_id: int, webhook_id: UUID, most: int = _RECENT
) -> list[DeliveryRow]:
    """Return the newest deliveries of a webhook."""
    rows = await connection.fetch(_DELIVERIES, tenant_id, webhook_id, most)
    return [
        DeliveryRow(
            _uuid(row["delivery_id"]),
            KINDS[row["event"] - 1],
            STATES[row["state"] - 1],
            None if row["answer"] is None else ANSWERS[row["answer"] - 1],
            row["attempts"],
            row["created_at"],
            row["changed_at"],
            row["not_before"],
        )
        for row in rows
    ]


def _webhook(row: Record) -> WebhookRow:
    because = row["ended_because"]
    return WebhookRow(
        _uuid(row["webhook_id"]),
        row["url"],
        row["created_at"],
        row["failing_since"],
        row["ended_at"],
        None if because is None else REASONS[because - 1],
    )


def _uuid(made: UUID) -> UUID:
    return UUID(int=made.int)  # asyncpg has a type of its own.


_OWN_ADD = "SELECT nocontent.own_add_webhook($1)"
_OWN_END = "SELECT nocontent.own_end_webhook($1)"
_OWN_TEST = "SELECT nocontent.own_test_webhook($1)"


async def own_add(connection: Connection, url: str) -> UUID:
    """Add a webhook, as an owner or admin; raises NotAllowed, BadUrl or TooMany."""
    with explained():
        return _uuid(await connection.fetchval(_OWN_ADD, url))


async def own_end(connection: Connection, webhook_id: UUID) -> bool:
    """End a webhook, as an owner or admin; return False if there is none to end."""
    with explained():
        return bool(await connection.fetchval(_OWN_END, webhook_id))


async def own_test(connection: Connection, webhook_id: UUID) -> UUID | None:
    """Send a test, as an owner or admin; return its delivery, or None if there is no such webhook; raises TooMany."""
    with explained():
        made = await connection.fetchval(_OWN_TEST, webhook_id)
    return None if made is None else _uuid(made)


_ADD = "SELECT nocontent.add_webhook($1, $2)"
_END = "SELECT nocontent.end_webhook($1, $2, $3)"
_TEST = "SELECT nocontent.test_webhook($1, $2)"


async def add(connection: Connection, tenant_id: int, url: str) -> UUID:
    """Add a webhook, as an operator; raises BadUrl or TooMany."""
    with explained():
        return _uuid(await connection.fetchval(_ADD, tenant_id, url))


async def end(connection: Connection, tenant_id: int, webhook_id: UUID) -> bool:
    """End a webhook, as an operator; return False if there is none to end."""
    with explained():
        return bool(await connection.fetchval(_END, tenant_id, webhook_id, _ENDED))


async def test(connection: Connection, tenant_id: int, webhook_id: UUID) -> UUID | None:
    """Send a test, as an operator; return its delivery, or None if there is no such webhook; raises TooMany."""
    with explained():
        made = await connection.fetchval(_TEST, tenant_id, webhook_id)
    return None if made is None else _uuid(made)
