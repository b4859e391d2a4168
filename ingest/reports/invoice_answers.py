"""The answers about invoices in JSON: amounts in cents of the currency, quantities as they were billed."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from ingest.knowledge.billing import DocumentKind, Line, LineKind, Plan, State, document_name
from ingest.knowledge.billing import Invoice as Document
from ingest.usage.rendering.sheet import Draft as DraftDocument

Kind = Literal["invoice", "credit_note"]
_KINDS: Mapping[DocumentKind, Kind] = {DocumentKind.INVOICE: "invoice", DocumentKind.CREDIT_NOTE: "credit_note"}
_States = Literal["finalized", "paid", "void"]
_STATES: Mapping[State, _States] = {State.FINALIZED: "finalized", State.PAID: "paid", State.VOID: "void"}
_Lines = Literal["events", "savings", "flat", "minimum"]
_LINES: Mapping[LineKind, _Lines] = {
    LineKind.EVENTS: "events", LineKind.SAVINGS: "savings", LineKind.FLAT: "flat", LineKind.MINIMUM: "minimum",
}  # fmt: skip


class InvoicePeriod(Struct, frozen=True):
    """A month, from its first instant to before that of the next."""

    month: Annotated[str, Meta(description="YYYY-MM, in the time zone of the tenant.")]
    start: datetime
    end: datetime


class InvoiceLine(Struct, frozen=True):
    """A line; a correction has the month that it corrects."""

    kind: _Lines
    is_correction: bool
    period: InvoicePeriod
    plan: str
    plan_version: int
    quantity: Annotated[int, Meta(description="Billed events, nano-USD of savings, or 1.")]
    cents: int


class InvoiceSummary(Struct, frozen=True):
    """An issued document without its lines."""

    number: str
    kind: Kind
    state: _States
    period: InvoicePeriod
    time_zone: str
    currency: str
    total_cents: int
    credits: Annotated[str | None, Meta(description="The invoice that a credit note mirrors.")]
    finalized_at: datetime
    paid_at: datetime | None
    voided_at: datetime | None


class Invoice(InvoiceSummary, frozen=True):
    """An issued document."""

    tenant: str
    usage_digest: Annotated[str, Meta(description="SHA-256 of the sums of usage that it stands on: docs/billing.md.")]
    lines: list[InvoiceLine]


class InvoiceList(Struct, frozen=True):
    """The reply to `GET /v1/invoices`."""

    invoices: list[InvoiceSummary]
    next: Annotated[str | None, Meta(description="The cursor of the next page; null at the end.")]


class DraftInvoice(Struct, frozen=True):
    """A document that would be issued for the month in progress."""

    kind: Kind
    total_cents: int
    lines: list[InvoiceLine]


class Drafts(Struct, frozen=True):
    """The reply to `GET /v1/invoices/draft`: an invoice, and a credit note if corrections exceed it."""

    tenant: str
    period: InvoicePeriod
    time_zone: str
    currency: str
    usage_digest: str
    documents: list[DraftInvoice]


def summary(document: Document) -> InvoiceSummary:
    """Return a document as it is listed."""
    return InvoiceSummary(
        number=document.name,
        kind=_KINDS[document.kind],
        state=_STATES[document.state],
        period=_period(document.period.month, document.period.start, document.period.end),
        time_zone=document.period.time_zone,
        currency=document.currency,
        total_cents=document.total_cents,
        credits=None if document.credits is None else document_name(document.issuer, document.credits),
        finalized_at=document.finalized_at,
        paid_at=document.paid_at,
        voided_at=document.voided_at,
    )


def invoice(document: Document, tenant: str, plans: Mapping[int, Plan]) -> Invoice:
    """Return a document with its lines."""
    shown = msgspec.structs.asdict(summary(document))
    lines = _lines(document.lines, plans)
    return Invoice(**shown, tenant=tenant, usage_digest=document.usage_digest.hex(), lines=lines)


def drafts(found: Sequence[DraftDocument], tenant: str, plans: Mapping[int, Plan]) -> Drafts:
    """Return the drafts of a month, of which there is at least one."""
    first = found[0]
    return Drafts(
        tenant=tenant,
        period=_period(first.period.month, first.period.start, first.period.end),
        time_zone=first.period.time_zone,
        currency=first.currency,
        usage_digest=first.usage_digest.hex(),
        documents=[_draft(each, plans) for each in found],
    )


def _draft(found: DraftDocument, plans: Mapping[int, Plan]) -> DraftInvoice:
    total_cents = sum(line.cents for line in found.lines)
    return DraftInvoice(_KINDS[found.kind], total_cents, _lines(found.lines, plans))


def _period(month: date, start: datetime, end: datetime) -> InvoicePeriod:
    return InvoicePeriod(f"{month:%Y-%m}", start, end)


def _lines(lines: Sequence[Line], plans: Mapping[int, Plan]) -> list[InvoiceLine]:
    return [
        InvoiceLine(
            kind=_LINES[line.kind],
            is_correction=line.is_correction,
            period=_period(line.month, line.start, line.end),
            plan=plans[line.plan_id].name,
            plan_version=line.plan_version,
            quantity=line.quantity,
            cents=line.cents,
        )
        for line in lines
    ]
