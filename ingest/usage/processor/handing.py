"""Hands over the invoices that are due, and follows those that were handed over until they are paid."""

from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from ingest import logs
from ingest.knowledge.billing import LINE_WORDS, document_name
from ingest.knowledge.billing import Line as DocumentLine
from ingest.store.billing import handovers, invoices, notices, payments
from ingest.store.billing.handovers import Handover, InvoiceKey, ProcessorId, Refusal, State, Step
from ingest.store.billing.notices import Notice
from ingest.store.billing.payments import Payment
from ingest.store.connections import Connection
from ingest.usage.processor.errors import Refused, Unauthorized, Unreachable
from ingest.usage.processor.processor import Bill, Line, Processor, Reading

BATCH_MAX = 20  # Invoices of one pass, each of which takes some calls.
READ_AGAIN = timedelta(hours=6)  # Webhooks make it sooner.


class Handed(NamedTuple):
    """The result of a pass; if it is not complete, there is more to do, now or when the processor is back."""

    done: int = 0
    refused: int = 0
    is_complete: bool = True
    is_reachable: bool = True


async def hand_over(connection: Connection, processor: Processor, count_max: int = BATCH_MAX) -> Handed:
    """Hand over some of the invoices that are due, each once, whatever happened in passes before."""
    keys = await handovers.due(connection, processor.id, count_max)
    done = refused = 0
    for key in keys:
        try:
            outcome = await hand_over_one(connection, processor, key)
        except (Unreachable, Unauthorized) as down:
            _log_down(down)
            return Handed(done, refused, is_complete=False, is_reachable=False)
        done += outcome.step is Step.HANDED_OVER
        refused += outcome.refusal is not Refusal.NONE
    return Handed(done, refused, is_complete=len(keys) < count_max)


async def hand_over_one(connection: Connection, processor: Processor, key: InvoiceKey) -> Handover:
    """Hand over an invoice, or go on where it stopped; raise Unreachable or Unauthorized."""
    known = await handovers.begin(connection, key, processor.id)
    if known.processor is not processor.id or known.step is Step.HANDED_OVER or known.refusal:
        return known
    bill = await _bill(connection, key)
    await _record(connection, key, processor.hand_over(bill, known, _Journal(connection, key, processor.id)))
    outcome = await handovers.read(connection, key)
    assert outcome is not None
    return outcome


async def follow(connection: Connection, processor: Processor, count_max: int = BATCH_MAX) -> Handed:
    """Read again the invoices that the processor reported something about, and those not read for long.

    A webhook is not believed, since it may be late, repeated or out of order: only the invoice's state now counts.
    """
    waiting = await notices.waiting(connection, processor.id, count_max)
    stale = await handovers.unread(connection, processor.id, READ_AGAIN, count_max)
    keys = list(dict.fromkeys([*(notice.key for notice in waiting), *stale]))
    try:
        for key in keys:
            known = await handovers.read(connection, key)
            if known is not None and known.remote is not None and known.processor is processor.id:
                await _record(connection, key, processor.read(known.remote))
            await _handled(connection, [notice for notice in waiting if notice.key == key])
    except (Unreachable, Unauthorized) as down:
        _log_down(down)
        return Handed(is_complete=False, is_reachable=False)
    return Handed(len(keys), is_complete=len(waiting) < count_max and len(stale) < count_max)


async def _record(connection: Connection, key: InvoiceKey, answer: Awaitable[Reading]) -> None:
    """Record what the processor answers about an invoice, or that it refuses it."""
    try:
        reading = await answer
    except Refused as refused:
        logs.error("hand-over-refused", tenant_id=key.tenant_id, error=refused.reason.name.lower())
        await handovers.refuse(connection, key, refused.reason)
    else:
        await _take(connection, key, reading)


async def _handled(connection: Connection, done: list[Notice]) -> None:
    for notice in done:
        await notices.handled(connection, notice)


async def _take(connection: Connection, key: InvoiceKey, reading: Reading) -> None:
    """Record an invoice's state, and its payment if there is one."""
    async with connection.transaction():
        await handovers.report(connection, key, reading.state)
        known = await handovers.read(connection, key)
        if known is not None and known.remote is not None and reading.paid_cents > 0:
            paid_on = reading.paid_on or datetime.now(UTC).date()  # Of a part, no day is reported.
            await payments.pay(connection, key, Payment(known.processor, known.remote, reading.paid_cents, paid_on))
        if reading.state is State.PAID:
            await invoices.settle(connection, *key)


async def _bill(connection: Connection, key: InvoiceKey) -> Bill:
    found = await invoices.read(connection, key.tenant_id, document_name(key.issuer, key.number))
    assert found is not None
    original = None
    if found.credits is not None:
        credited = await handovers.read(connection, key._replace(number=found.credits))
        original = None if credited is None else credited.remote
    lines = tuple(Line(_says(line), line.cents) for line in found.lines)
    return Bill(key, found.currency, found.total_cents, lines, original)


def _says(line: DocumentLine) -> str:
    return f"{'Correction: ' * line.is_correction}{LINE_WORDS[line.kind]}, {line.month:%Y-%m}"


def _log_down(down: Exception) -> None:
    logs.error("processor-unavailable", error=type(down).__name__)


@dataclass(frozen=True, slots=True)
class _Journal:
    connection: Connection
    key: InvoiceKey
    processor: ProcessorId

    async def customer(self) -> str | None:
        return await handovers.customer(self.connection, self.key.tenant_id, self.processor)

    async def take_customer(self, customer: str) -> None:
        await handovers.add_customer(self.connection, self.key.tenant_id, self.processor, customer)

    async def take_remote(self, remote: str) -> None:
        if not await handovers.take_remote(self.connection, self.key, remote):
            raise Refused(Refusal.DIFFERS)

    async def reach(self, step: Step) -> None:
        await handovers.reach(self.connection, self.key, step)

    async def split(self, balance_cents: int) -> int:
        return await handovers.split(self.connection, self.key, balance_cents)
