"""The interface of a payment processor, and the invoice as it is handed over: ids, words of ours and cents."""

from datetime import date
from typing import NamedTuple, Protocol

from ingest.knowledge.billing import document_name
from ingest.store.billing.handovers import Handover, InvoiceKey, ProcessorId, State, Step


class Line(NamedTuple):
    """A line of an invoice; `says` is rendered from its kind and never holds text of a tenant."""

    says: str
    cents: int


class Bill(NamedTuple):
    """A finalized invoice or credit note. `original` is the processor's id of the invoice that it credits."""

    key: InvoiceKey
    currency: str
    total_cents: int
    lines: tuple[Line, ...]
    original: str | None

    @property
    def number(self) -> str:
        return document_name(self.key.issuer, self.key.number)


class Reading(NamedTuple):
    """An invoice as the processor has it now."""

    state: State
    paid_cents: int = 0
    paid_on: date | None = None


class Journal(Protocol):
    """Records the steps of one hand-over; each call returns after COMMIT."""

    async def customer(self) -> str | None: ...
    async def take_customer(self, customer: str) -> None: ...
    async def take_remote(self, remote: str) -> None: ...
    async def reach(self, step: Step) -> None: ...
    async def split(self, balance_cents: int) -> int: ...


class Processor(Protocol):
    """A payment processor. Its methods raise Unreachable, Unauthorized or Refused."""

    @property
    def id(self) -> ProcessorId: ...

    async def hand_over(self, bill: Bill, known: Handover, journal: Journal) -> Reading:
        """Bring an invoice from the step that is known to the last one, and return its state."""
        ...

    async def read(self, remote: str) -> Reading:
        """Return the state of an invoice that was handed over."""
        ...
