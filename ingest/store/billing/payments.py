"""Records payments of invoices: amounts, days and references that are ids; no card and no bank data."""

import re
from datetime import date
from typing import NamedTuple

import asyncpg

from ingest.errors import CannotStart
from ingest.store.billing.handovers import InvoiceKey, ProcessorId
from ingest.store.connections import Connection
from schema.event import Kind
from schema.gauntlet import fault

# As the table's CHECK has them.
_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,31}", re.ASCII)
_ACCOUNT = re.compile(r"[0-9]{9}|([0-9][._/-]?){11}|\A[A-Za-z]{2}[0-9]{2}[A-Za-z0-9._/-]{11,}\Z", re.ASCII)


class Payment(NamedTuple):
    processor: ProcessorId
    reference: str
    amount_cents: int
    paid_on: date


class OpenInvoice(NamedTuple):
    """An invoice that is not paid."""

    key: InvoiceKey
    month: date
    currency: str
    total_cents: int
    paid_cents: int
    finalized_on: date


_PAY = """
INSERT INTO nocontent.payments (tenant_id, issuer, number, processor, reference, amount_cents, paid_on)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (tenant_id, issuer, number, processor, reference) DO UPDATE
SET amount_cents = excluded.amount_cents, paid_on = excluded.paid_on
WHERE (payments.amount_cents, payments.paid_on) IS DISTINCT FROM (excluded.amount_cents, excluded.paid_on)
"""
_PAYMENTS = """
SELECT processor, reference, amount_cents, paid_on
FROM nocontent.payments WHERE tenant_id = $1 AND issuer = $2 AND number = $3 ORDER BY paid_on, reference
"""
_OPEN = """
SELECT invoice.tenant_id, issuer, number, month, currency, total_cents, finalized_at AT TIME ZONE 'UTC' AS finalized_at,
    coalesce((SELECT sum(amount_cents) FROM nocontent.payments AS paid
        WHERE paid.tenant_id = invoice.tenant_id AND paid.issuer = invoice.issuer AND paid.number = invoice.number
    ), 0)::bigint AS paid_cents
FROM nocontent.invoices AS invoice
WHERE state = 1 AND kind = 1 ORDER BY finalized_at, number
"""


async def pay(connection: Connection, key: InvoiceKey, payment: Payment) -> None:
    """Record a payment; one with the same reference is the same payment, with its newest amount."""
    await connection.execute(_PAY, *key, *payment)


async def payments(connection: Connection, key: InvoiceKey) -> list[Payment]:
    rows = await connection.fetch(_PAYMENTS, *key)
    return [Payment(ProcessorId(row["processor"]), *list(row.values())[1:]) for row in rows]


def require_reference(text: str) -> None:
    """Raise CannotStart, without the text, unless a payment may have this reference."""
    rule = fault(Kind.TAG_VALUE, text) or ""
    is_secret = rule.startswith("secret.") and rule != "secret.high-entropy"  # Ids of transfers are random.
    if is_secret or not _REFERENCE.fullmatch(text) or _ACCOUNT.search(text):
        raise CannotStart("A reference is up to 32 letters, digits and ._/- and not the number of a card or account.")


async def open_invoices(connection: Connection) -> list[OpenInvoice]:
    """Return invoices that are not paid, the oldest first."""
    return [_open(row) for row in await connection.fetch(_OPEN)]


def _open(row: asyncpg.Record) -> OpenInvoice:
    key = InvoiceKey(row["tenant_id"], row["issuer"], row["number"])
    return OpenInvoice(
        key, row["month"], row["currency"], row["total_cents"], row["paid_cents"], row["finalized_at"].date()
    )
