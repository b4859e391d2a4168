"""`invoice pay`, `invoice export`, `invoice send`: what was paid, what is open, and the payment processor's part."""

import argparse
from datetime import UTC, date, datetime, timedelta

from ingest.cli import processes
from ingest.cli.acts import Acts
from ingest.errors import CannotStart
from ingest.knowledge.billing import Invoice, State
from ingest.store import tenants
from ingest.store.billing import handovers, invoices, payments
from ingest.store.billing.handovers import Handover, InvoiceKey, ProcessorId, Refusal, Step
from ingest.store.billing.payments import Payment
from ingest.store.connections import Connection
from ingest.usage.processor import factory, handing, manual
from ingest.usage.processor.errors import Unauthorized, Unreachable
from ingest.usage.processor.processor import Processor


def add(family: Acts) -> None:
    """Declare the acts among those on invoices."""
    pay = family.add("pay", _pay, "mark what is open of an invoice as paid; with the same reference it is one payment")
    pay.add_argument("number", help="such as NC-000042")
    pay.add_argument(
        "--date", type=date.fromisoformat, required=True, help="the day of the payment, such as 2026-11-28"
    )
    pay.add_argument(
        "--reference", required=True, help="an id of the payment in your books; never an account or a card"
    )
    export = family.add("export", _export, "print the invoices that are not paid")
    export.add_argument("--csv", action="store_true", required=True, help="as CSV, the only form there is")
    send = family.add("send", _send, "hand invoices over to the payment processor, each once")
    send.add_argument("number", nargs="?", help="one that was refused is tried again")
    send.add_argument("--all", action="store_true", help="all that are due")


async def _pay(connection: Connection, args: argparse.Namespace) -> int:
    payments.require_reference(args.reference)
    if not date(2000, 1, 1) <= args.date <= datetime.now(UTC).date() + timedelta(days=1):
        raise CannotStart("The date must be that of a payment, and not in the future.")
    found = await find(connection, args.number)
    if found.state is not State.FINALIZED:
        print(f"{found.name} is {found.state.name.lower()} already")
        return int(found.state is State.VOID)
    key = InvoiceKey(found.tenant_id, found.issuer, found.number)
    # No other processor takes it from now on, whichever the settings name.
    known = await handovers.begin(connection, key, ProcessorId.MANUAL)
    if known.processor is not ProcessorId.MANUAL:
        raise CannotStart("The payment processor has this invoice, and reports its payment: mark it as paid there.")
    async with connection.transaction():
        if not await invoices.settle(connection, *key):
            raise CannotStart("This document has just been paid or credited.")
        await handovers.reach(connection, key, Step.HANDED_OVER)
        if found.total_cents:
            amount = Payment(ProcessorId.MANUAL, args.reference, abs(found.total_cents), args.date)
            await payments.pay(connection, key, amount)
    print(f"{found.name} is paid: {manual.amount(found.total_cents)} {found.currency}")
    return 0


async def _export(connection: Connection, _args: argparse.Namespace) -> int:
    names = {row.tenant_id: row.name for row in await tenants.list_all(connection)}
    print(manual.export(await payments.open_invoices(connection), names), end="")
    return 0


async def _send(connection: Connection, args: argparse.Namespace) -> int:
    if bool(args.number) == args.all:
        raise CannotStart("Name an invoice, or all that are due by --all.")
    processor = factory.make(processes.load())
    return await (_send_all(connection, processor) if args.all else _send_one(connection, processor, args.number))


async def _send_all(connection: Connection, processor: Processor) -> int:
    refused = 0
    while True:
        handed = await handing.hand_over(connection, processor)
        refused += handed.refused
        print(f"{handed.done} handed over, {handed.refused} refused")
        if not handed.is_reachable:
            print("the processor does not answer or refuses the key: run this again later, nothing is charged twice")
        if handed.is_complete or not handed.is_reachable:
            break
    await handing.follow(connection, processor)
    return int(refused > 0 or not handed.is_reachable)


async def _send_one(connection: Connection, processor: Processor, name: str) -> int:
    found = await find(connection, name)
    key = InvoiceKey(found.tenant_id, found.issuer, found.number)
    await handovers.retry(connection, key)
    if not await handovers.is_due(connection, processor.id, key):
        print(f"{found.name} needs no hand-over now")
        return 0
    try:
        outcome = await handing.hand_over_one(connection, processor, key)
    except (Unreachable, Unauthorized) as down:
        raise CannotStart(
            f"The payment processor does not answer, or refuses the key ({type(down).__name__})."
        ) from None
    print(f"{found.name}: {_said(outcome)}")
    return int(outcome.refusal is not Refusal.NONE)


def _said(outcome: Handover) -> str:
    if outcome.refusal is not Refusal.NONE:
        return f"refused, {outcome.refusal.name.lower()}; see docs/payments.md"
    return f"handed over to {outcome.processor.name.lower()}, {outcome.state.name.lower()} there"


async def find(connection: Connection, name: str) -> Invoice:
    """Return a document of any tenant by its name; raises CannotStart."""
    tenant_id = await invoices.tenant_of(connection, name)
    found = None if tenant_id is None else await invoices.read(connection, tenant_id, name)
    if found is None:
        raise CannotStart("No document has that number; see `nocontent invoice list`.")
    return found
