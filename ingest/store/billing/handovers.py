"""Records how far each invoice is with a payment processor: ids, steps and states.

Every step is committed when it has happened. It never goes back, so two processes that hand over the same invoice at
once leave the later of their steps.
"""

from datetime import timedelta
from enum import IntEnum
from typing import NamedTuple

from ingest.store.connections import Connection


class ProcessorId(IntEnum):
    MANUAL = 1
    STRIPE = 2


class Step(IntEnum):
    BEGUN = 0
    DRAFTED = 1
    FILLED = 2
    HANDED_OVER = 3


class State(IntEnum):
    """The state of an invoice as its processor last reported it."""

    NONE = 0
    DRAFT = 1
    OPEN = 2
    PAID = 3
    VOID = 4
    UNCOLLECTIBLE = 5


class Refusal(IntEnum):
    """Why a hand-over waits for an operator."""

    NONE = 0
    REJECTED = 1
    DIFFERS = 2
    GONE = 3
    KEY_REUSED = 4
    TOO_MANY_LINES = 5


class InvoiceKey(NamedTuple):
    tenant_id: int
    issuer: str
    number: int


class Handover(NamedTuple):
    """How far an invoice is. `balance_cents` is the part of a credit note that goes to the customer's balance."""

    processor: ProcessorId
    attempt: int
    step: Step
    remote: str | None
    balance_cents: int | None
    state: State
    refusal: Refusal


_BEGIN = """
INSERT INTO nocontent.handovers (tenant_id, issuer, number, processor) VALUES ($1, $2, $3, $4)
ON CONFLICT (tenant_id, issuer, number) DO NOTHING
"""
_READ = """
SELECT processor, attempt, step, remote, balance_cents, state, refusal
FROM nocontent.handovers WHERE tenant_id = $1 AND issuer = $2 AND number = $3
"""
_TAKE_REMOTE = """
UPDATE nocontent.handovers SET remote = $4, step = greatest(step, 1::smallint), read_at = now()
WHERE tenant_id = $1 AND issuer = $2 AND number = $3 AND (remote IS NULL OR remote = $4)
"""
_REACH = """
UPDATE nocontent.handovers SET step = greatest(step, $4::smallint), read_at = now()
WHERE tenant_id = $1 AND issuer = $2 AND number = $3
"""
_SPLIT = """
UPDATE nocontent.handovers SET balance_cents = coalesce(balance_cents, $4)
WHERE tenant_id = $1 AND issuer = $2 AND number = $3 RETURNING balance_cents
"""
_REPORT = """
UPDATE nocontent.handovers SET state = $4, refusal = 0, read_at = now()
WHERE tenant_id = $1 AND issuer = $2 AND number = $3
"""
_REFUSE = """
UPDATE nocontent.handovers SET refusal = $4, read_at = now()
WHERE tenant_id = $1 AND issuer = $2 AND number = $3
"""
# What was drafted stays, unless the processor has it no longer (refusal 3). What was handed over stays in any case: it
# cannot be deleted there, so the key is of another account.
_RETRY = """
UPDATE nocontent.handovers
SET refusal = 0, attempt = attempt + 1, balance_cents = NULL,
    step = CASE WHEN refusal = 3 AND step < 3 THEN 0 ELSE step END,
    remote = CASE WHEN refusal = 3 AND step < 3 THEN NULL ELSE remote END
WHERE tenant_id = $1 AND issuer = $2 AND number = $3 AND refusal > 0
"""
_REFUSED = "SELECT count(*) FROM nocontent.handovers WHERE refusal > 0"
_CUSTOMER = "SELECT customer FROM nocontent.processor_customers WHERE tenant_id = $1 AND processor = $2"
_FORGET_CUSTOMER = "DELETE FROM nocontent.processor_customers WHERE tenant_id = $1 AND processor = $2"
_ADD_CUSTOMER = """
INSERT INTO nocontent.processor_customers (tenant_id, processor, customer) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING
"""
# A webhook may be lost, so what is open is read again from time to time.
_UNREAD = """
SELECT tenant_id, issuer, number FROM nocontent.handovers
WHERE processor = $1 AND remote IS NOT NULL AND step = 3 AND state IN (1, 2) AND read_at < now() - $2::interval
ORDER BY read_at LIMIT $3
"""
# An invoice that was credited before it was begun, and its credit note, need no processor; nor does one of nothing.
_DUE = """
SELECT invoice.tenant_id, invoice.issuer, invoice.number FROM nocontent.invoices AS invoice
LEFT JOIN nocontent.handovers AS own USING (tenant_id, issuer, number)
LEFT JOIN nocontent.handovers AS original
    ON original.tenant_id = invoice.tenant_id AND original.issuer = invoice.issuer
    AND original.number = invoice.credits
WHERE CASE
    WHEN own.number IS NOT NULL THEN own.processor = $2 AND own.step < 3 AND own.refusal = 0
    WHEN invoice.credits IS NOT NULL THEN original.processor = $2 AND original.step = 3
    ELSE invoice.state = 1 AND invoice.total_cents <> 0
END AND ($3::integer IS NULL OR (invoice.tenant_id, invoice.issuer, invoice.number) = ($3, $4, $5))
ORDER BY invoice.finalized_at, invoice.number LIMIT $1
"""


async def begin(connection: Connection, key: InvoiceKey, processor: ProcessorId) -> Handover:
    """Begin to hand over an invoice, or return how far it is, perhaps with another processor."""
    await connection.execute(_BEGIN, *key, processor)
    known = await read(connection, key)
    assert known is not None
    return known


async def read(connection: Connection, key: InvoiceKey) -> Handover | None:
    row = await connection.fetchrow(_READ, *key)
    if row is None:
        return None
    return Handover(
        ProcessorId(row["processor"]), row["attempt"], Step(row["step"]), row["remote"], row["balance_cents"],
        State(row["state"]), Refusal(row["refusal"]),
    )  # fmt: skip


async def take_remote(connection: Connection, key: InvoiceKey, remote: str) -> bool:
    """Record the processor's id of an invoice; return False if another one was recorded before."""
    return bool(await connection.execute(_TAKE_REMOTE, *key, remote) == "UPDATE 1")


async def reach(connection: Connection, key: InvoiceKey, step: Step) -> None:
    await connection.execute(_REACH, *key, step)


async def split(connection: Connection, key: InvoiceKey, balance_cents: int) -> int:
    """Record the part of a credit note that goes to the customer's balance, once; return what is recorded."""
    return int(await connection.fetchval(_SPLIT, *key, balance_cents))


async def report(connection: Connection, key: InvoiceKey, state: State) -> None:
    """Record the state of an invoice as the processor reports it now."""
    await connection.execute(_REPORT, *key, state)


async def refuse(connection: Connection, key: InvoiceKey, reason: Refusal) -> None:
    await connection.execute(_REFUSE, *key, reason)


async def retry(connection: Connection, key: InvoiceKey) -> bool:
    """Let a refused hand-over be tried again, with new idempotency keys; return whether it was refused.

    If it was refused before there was a draft, the customer may be gone, so that it is looked for again.
    """
    async with connection.transaction():
        known = await read(connection, key)
        if known is not None and (known.refusal, known.step) == (Refusal.REJECTED, Step.BEGUN):
            await connection.execute(_FORGET_CUSTOMER, key.tenant_id, known.processor)
        return bool(await connection.execute(_RETRY, *key) == "UPDATE 1")


async def customer(connection: Connection, tenant_id: int, processor: ProcessorId) -> str | None:
    found: str | None = await connection.fetchval(_CUSTOMER, tenant_id, processor)
    return found


async def add_customer(connection: Connection, tenant_id: int, processor: ProcessorId, customer: str) -> None:
    await connection.execute(_ADD_CUSTOMER, tenant_id, processor, customer)


async def unread(connection: Connection, processor: ProcessorId, age: timedelta, count_max: int) -> list[InvoiceKey]:
    """Return invoices that are open as far as we know, and were not read for that long."""
    return [InvoiceKey(*row.values()) for row in await connection.fetch(_UNREAD, processor, age, count_max)]


async def due(connection: Connection, processor: ProcessorId, count_max: int) -> list[InvoiceKey]:
    """Return invoices that have to be handed over, or further, the oldest first."""
    return [InvoiceKey(*row.values()) for row in await connection.fetch(_DUE, count_max, processor, *_ANY)]


async def is_due(connection: Connection, processor: ProcessorId, key: InvoiceKey) -> bool:
    """Return whether an invoice has to be handed over, or further, to this processor."""
    return bool(await connection.fetch(_DUE, 1, processor, *key))


async def refused(connection: Connection) -> int:
    """Count the hand-overs that wait for an operator."""
    return int(await connection.fetchval(_REFUSED))


_ANY = (None, None, None)
