"""The processor without a processor: people send invoices, watch the bank account, and mark what was paid."""

import csv
import io
from collections.abc import Iterable

from ingest.knowledge.billing import document_name
from ingest.store.billing.handovers import Handover, ProcessorId, State, Step
from ingest.store.billing.payments import OpenInvoice
from ingest.usage.processor.processor import Bill, Journal, Reading

COLUMNS = ("number", "tenant", "month", "finalized", "currency", "total", "paid", "open")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # A spreadsheet runs a cell that begins so.


class Manual:
    """Takes every invoice at once; its state never changes by itself."""

    @property
    def id(self) -> ProcessorId:
        return ProcessorId.MANUAL

    async def hand_over(self, _bill: Bill, _known: Handover, journal: Journal) -> Reading:
        await journal.reach(Step.HANDED_OVER)
        return Reading(State.OPEN)

    async def read(self, _remote: str) -> Reading:
        raise AssertionError("Nothing has a remote id here.")


def export(invoices: Iterable[OpenInvoice], names: dict[int, str]) -> str:
    """Return open invoices as CSV (RFC 4180), by tenants' names; no cell is a formula."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for each in invoices:
        row = (
            document_name(each.key.issuer, each.key.number), names.get(each.key.tenant_id, str(each.key.tenant_id)),
            f"{each.month:%Y-%m}", f"{each.finalized_on:%Y-%m-%d}", each.currency, amount(each.total_cents),
            amount(each.paid_cents), amount(each.total_cents - each.paid_cents),
        )  # fmt: skip
        writer.writerow([guarded(cell) for cell in row])
    return out.getvalue()


def amount(cents: int) -> str:
    """Return cents as a decimal number with two places."""
    whole, rest = divmod(abs(cents), 100)
    return f"{'-' * (cents < 0)}{whole}.{rest:02d}"


def guarded(cell: str) -> str:
    """Return a cell that no spreadsheet runs; a plain negative number stays one."""
    is_number = cell.removeprefix("-").replace(".", "", 1).isdecimal()
    return f"'{cell}" if cell.startswith(_FORMULA) and not is_number else cell
