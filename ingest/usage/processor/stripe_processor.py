"""Hands invoices over to Stripe: a draft, its lines, a comparison, and only then the step that charges.

Each POST has an idempotency key made of the invoice's number and the step, for ever the same. Stripe forgets keys after
a day, so before a draft is created it is looked for, by customer (which is exact) and by metadata (which lags a minute
and finds what a restored database has forgotten). What charges is `finalize`, and an invoice is finalized once.
"""

from datetime import UTC, datetime
from functools import partial
from typing import Literal, NamedTuple, cast

import stripe

from ingest.store.billing.handovers import Handover, ProcessorId, Refusal, State, Step
from ingest.usage.processor.errors import Refused
from ingest.usage.processor.processor import Bill, Journal, Reading
from ingest.usage.processor.stripe_calls import Calls

INVOICE, TENANT, LINE = "nocontent_invoice", "nocontent_tenant", "nocontent_line"  # Of metadata.
_STATES = {
    "draft": State.DRAFT,
    "open": State.OPEN,
    "paid": State.PAID,
    "void": State.VOID,
    "uncollectible": State.UNCOLLECTIBLE,
}
_PAGE = 100
LINES_MAX = 250  # Of an invoice.


class Collection(NamedTuple):
    """How Stripe collects: by an invoice that is sent, or from the payment method that it has of the customer."""

    method: Literal["send_invoice", "charge_automatically"]
    days_until_due: int


class Stripe:
    def __init__(self, calls: Calls, collection: Collection) -> None:
        self._calls = calls
        self._collection = collection

    @property
    def id(self) -> ProcessorId:
        return ProcessorId.STRIPE

    async def hand_over(self, bill: Bill, known: Handover, journal: Journal) -> Reading:
        if len(bill.lines) > LINES_MAX:
            raise Refused(Refusal.TOO_MANY_LINES)
        if bill.original is not None:
            return await self._credit(bill, known, journal, bill.original)
        remote = known.remote or await self._draft(bill, known, journal)
        found = await self._calls.call(lambda: self._calls.api.invoices.retrieve(remote))
        if found.status == "draft":
            await self._fill(bill, known, found)
            found = await self._calls.call(lambda: self._calls.api.invoices.retrieve(remote))
        if (found.total, found.currency) != (bill.total_cents, bill.currency.lower()):
            raise Refused(Refusal.DIFFERS)
        await journal.reach(Step.FILLED)
        if found.status == "draft":
            found = await self._calls.call(
                lambda: self._calls.api.invoices.finalize_invoice(
                    remote, {"auto_advance": True}, {"idempotency_key": _key(bill, known, "finalize")}
                )
            )
        await journal.reach(Step.HANDED_OVER)
        return _reading(found)

    async def read(self, remote: str) -> Reading:
        if remote.startswith("cn_"):
            return Reading(State.PAID)
        return _reading(await self._calls.call(lambda: self._calls.api.invoices.retrieve(remote)))

    async def _draft(self, bill: Bill, known: Handover, journal: Journal) -> str:
        """Return the id of the invoice, whatever its state; if there is none, create a draft."""
        customer = await journal.customer() or await self._customer(bill, known, journal)
        found = await self._find(bill, customer)
        if found is None:
            draft = await self._calls.call(lambda: self._create(bill, known, customer))
            found = draft.id
        await journal.take_remote(found)
        return found

    def _create(self, bill: Bill, known: Handover, customer: str) -> stripe.Invoice:
        metadata = {INVOICE: bill.number, TENANT: str(bill.key.tenant_id)}
        key = _key(bill, known, "draft")
        if self._collection.method == "charge_automatically":
            return self._calls.api.invoices.create(
                {
                    "customer": customer, "currency": bill.currency.lower(), "auto_advance": False,
                    "collection_method": "charge_automatically", "pending_invoice_items_behavior": "exclude",
                    "metadata": metadata,
                },
                {"idempotency_key": key},
            )  # fmt: skip
        return self._calls.api.invoices.create(
            {
                "customer": customer, "currency": bill.currency.lower(), "auto_advance": False,
                "collection_method": "send_invoice", "days_until_due": self._collection.days_until_due,
                "pending_invoice_items_behavior": "exclude", "metadata": metadata,
            },
            {"idempotency_key": key},
        )  # fmt: skip

    async def _find(self, bill: Bill, customer: str) -> str | None:
        """Return the invoice with our number in its metadata, whatever its state."""
        listed = await self._calls.call(
            lambda: [
                each.id
                for each in self._calls.api.invoices.list({"customer": customer, "limit": _PAGE}).auto_paging_iter()
                if _own(each.metadata, INVOICE) == bill.number
            ]
        )
        if not listed:
            query = f"metadata['{INVOICE}']:'{bill.number}'"
            listed = await self._calls.call(
                lambda: [each.id for each in self._calls.api.invoices.search({"query": query}).data]
            )
        if len(listed) > 1:
            raise Refused(Refusal.DIFFERS)
        return listed[0] if listed else None

    async def _customer(self, bill: Bill, known: Handover, journal: Journal) -> str:
        """Return the tenant's customer, which is created unless there is one: without a name, an address or a card."""
        whose = f"{bill.key.issuer}-{bill.key.tenant_id}"
        query = f"metadata['{TENANT}']:'{whose}'"
        found = await self._calls.call(
            lambda: [each.id for each in self._calls.api.customers.search({"query": query}).data]
        )
        if not found:
            made = await self._calls.call(
                lambda: self._calls.api.customers.create(
                    {"metadata": {TENANT: whose}}, {"idempotency_key": f"nocontent-customer-{whose}-{known.attempt}"}
                )
            )
            found = [made.id]
        await journal.take_customer(min(found))
        return min(found)

    async def _fill(self, bill: Bill, known: Handover, draft: stripe.Invoice) -> None:
        """Add the lines that the draft lacks."""
        there = await self._calls.call(
            lambda: {
                _own(each.metadata, LINE)
                for each in self._calls.api.invoice_items.list({"invoice": draft.id, "limit": _PAGE}).auto_paging_iter()
            }
        )
        for place in range(1, len(bill.lines) + 1):
            if str(place) not in there:
                await self._calls.call(partial(self._add_line, bill, known, draft, place))

    def _add_line(self, bill: Bill, known: Handover, draft: stripe.Invoice, place: int) -> None:
        line = bill.lines[place - 1]
        self._calls.api.invoice_items.create(
            {
                "customer": cast(str, draft.customer), "invoice": draft.id, "amount": line.cents,
                "currency": bill.currency.lower(), "description": line.says, "metadata": {LINE: str(place)},
            },
            {"idempotency_key": _key(bill, known, f"line-{place}")},
        )  # fmt: skip

    async def _credit(self, bill: Bill, known: Handover, journal: Journal, original: str) -> Reading:
        """Credit an invoice: first what is still open of it, and the rest to the customer's balance."""
        cents = -bill.total_cents
        remote = known.remote or await self._find_credit(bill, original)
        if remote is None:
            invoice = await self._calls.call(lambda: self._calls.api.invoices.retrieve(original))
            balance = await journal.split(max(0, cents - invoice.amount_remaining))
            made = await self._calls.call(
                lambda: self._calls.api.credit_notes.create(
                    {
                        "invoice": original, "amount": cents, "credit_amount": balance, "email_type": "none",
                        "metadata": {INVOICE: bill.number, TENANT: str(bill.key.tenant_id)},
                    },
                    {"idempotency_key": _key(bill, known, "credit")},
                )
            )  # fmt: skip
            remote = made.id
        await journal.take_remote(remote)
        await journal.reach(Step.HANDED_OVER)
        return Reading(State.PAID)

    async def _find_credit(self, bill: Bill, original: str) -> str | None:
        found = await self._calls.call(
            lambda: [
                each
                for each in self._calls.api.credit_notes.list({"invoice": original, "limit": _PAGE}).auto_paging_iter()
                if _own(each.metadata, INVOICE) == bill.number
            ]
        )
        if any(each.amount != -bill.total_cents for each in found):
            raise Refused(Refusal.DIFFERS)
        return found[0].id if found else None


def _own(metadata: stripe.StripeObject | None, name: str) -> object:
    return None if metadata is None else metadata.to_dict().get(name)


def _key(bill: Bill, known: Handover, step: str) -> str:
    return f"nocontent-{bill.number}-{known.attempt}-{step}"


def _reading(invoice: stripe.Invoice) -> Reading:
    paid_at = invoice.status_transitions.paid_at
    return Reading(
        _STATES.get(invoice.status or "", State.NONE),
        invoice.amount_paid,
        datetime.fromtimestamp(paid_at, UTC).date() if paid_at else None,
    )
