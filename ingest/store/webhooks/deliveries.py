"""Deliveries to webhooks: written with their cause, claimed by a worker, and settled by what was answered."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from ingest.store.connections import Connection
from ingest.store.webhooks.kinds import (
    EVENTS,
    KINDS,
    REASONS,
    Answer,
    EventKind,
    Reason,
    State,
    answer_number,
    event_number,
)
from ingest.store.webhooks.kinds import state_number as _number


class Event(NamedTuple):
    """What happened: ids and numbers in the order of the kind's row, and a cause that makes it once for ever."""

    kind: EventKind
    cause: UUID
    ids: Sequence[UUID] = ()
    numbers: Sequence[int] = ()


class Claim(NamedTuple):
    """A delivery that is this worker's for a minute."""

    tenant_id: int
    delivery_id: UUID
    webhook_id: UUID
    url: str
    kind: EventKind
    ids: Sequence[UUID]
    numbers: Sequence[int]
    attempt: int
    created_at: datetime


class Outcome(NamedTuple):
    """The result of an attempt; without a rest a delivery that failed is given up."""

    answer: Answer
    is_delivered: bool
    rest_s: int | None = None


class Standing(NamedTuple):
    """How much waits, over all tenants."""

    waiting: int
    failing: int
    oldest_s: int


_PUT = "SELECT nocontent.put_webhook($1, $2, $3, $4, $5, $6)"
_CLAIM = """
SELECT its_tenant, its_delivery, its_webhook, its_url, its_event, its_ids, its_numbers, its_attempt, its_created_at
FROM nocontent.claim_webhooks($1)
"""
_SETTLE = "SELECT nocontent.settle_webhook($1, $2, $3, $4, $5, $6)"
_STANDING = "SELECT waiting, failing, oldest_s FROM nocontent.webhooks_standing()"


async def put(connection: Connection, tenant_id: int, webhook_id: UUID, event: Event) -> bool:
    """Send an event to a webhook, once the caller's transaction is committed; return False if it was or cannot be."""
    return await _put(connection, tenant_id, webhook_id, event) > 0


async def put_to_all(connection: Connection, tenant_id: int, event: Event) -> int:
    """Send an event to every webhook of a tenant, as `put`; return to how many."""
    return await _put(connection, tenant_id, None, event)


async def _put(connection: Connection, tenant_id: int, webhook_id: UUID | None, event: Event) -> int:
    row = EVENTS[event.kind]
    assert (len(event.ids), len(event.numbers)) == (len(row.ids), len(row.numbers))
    given = (event_number(event.kind), [*event.ids], [*event.numbers], event.cause)
    return int(await connection.fetchval(_PUT, tenant_id, webhook_id, *given))


async def claim(connection: Connection, most: int) -> list[Claim]:
    """Take deliveries that are due; each is due again in a minute unless it is settled."""
    return [
        Claim(
            row["its_tenant"],
            UUID(int=row["its_delivery"].int),
            UUID(int=row["its_webhook"].int),
            row["its_url"],
            KINDS[row["its_event"] - 1],
            [UUID(int=one.int) for one in row["its_ids"]],
            row["its_numbers"],
            row["its_attempt"],
            row["its_created_at"],
        )
        for row in await connection.fetch(_CLAIM, most)
    ]


async def settle(connection: Connection, claimed: Claim, outcome: Outcome) -> Reason | None:
    """Store what became of an attempt; return why its webhook ended with it, or None if it goes on."""
    state: State = "delivered" if outcome.is_delivered else "given-up" if outcome.rest_s is None else "pending"
    because = await connection.fetchval(
        _SETTLE, claimed.tenant_id, claimed.delivery_id, claimed.attempt, _number(state),
        answer_number(outcome.answer), outcome.rest_s or 0,
    )  # fmt: skip
    return REASONS[because - 1] if because else None


async def standing(connection: Connection) -> Standing:
    """Count what waits, over all tenants."""
    row = await connection.fetchrow(_STANDING)
    assert row is not None
    return Standing(*row.values())
