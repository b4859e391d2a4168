"""Admits requests: a seat holds what one request needs of a worker, from before its first byte until it is queued."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple, TypeVar

from starlette.requests import Request

from ingest.intake import metrics
from ingest.intake.callers import Caller, Callers
from ingest.intake.errors import Malformed, Rejected
from ingest.intake.large_bodies import SMALL_BYTES, LargeBodies, Work
from ingest.intake.projection import Faults
from ingest.intake.queue import Queue
from ingest.intake.quota import Quotas, Reservation
from ingest.intake.validation import Validation
from ingest.knowledge.clock import Clock
from ingest.knowledge.snapshot import Tenant
from ingest.serving import body
from ingest.serving.body import Form
from ingest.serving.body_memory import BodyMemory, Hold
from ingest.serving.steps import Steps, finish
from ingest.store.batches import Entry
from ingest.store.errors import OutcomeUnknown
from schema.receipt import Receipt
from schema.rules import Violation

ANSWER_TIMEOUT_S = 25.0  # Longer than two flushes.
_Made = TypeVar("_Made")


class Intake:
    """Shared by the doors of one worker: bounds what requests may hold, and turns their bodies into entries."""

    def __init__(self, callers: Callers, clock: Clock, quotas: Quotas, validation: Validation, queue: Queue) -> None:
        self.callers = callers
        self.clock = clock
        self.quotas = quotas
        self.validation = validation
        self.queue = queue
        self.body_memory = BodyMemory()
        self.large_bodies = LargeBodies()

    @asynccontextmanager
    async def admit(self, caller: Caller, announced: int) -> AsyncIterator["Seat"]:
        """Yield a seat for a request that may send so many bytes.

        Raises QuotaExceeded, BatchOverQuota, Overloaded and Stopping before the body costs anything. Await the receipt
        outside of the block: a batch that waits for COMMIT needs no seat, and its body is no longer kept.
        """
        tenant_id = caller.tenant_id
        with self.body_memory.share(tenant_id) as hold, self.quotas.reserved(tenant_id) as reservation:
            async with self.large_bodies.work(tenant_id) as work:
                seat = Seat(self, caller, hold, reservation, work)
                if not self.queue.is_full(tenant_id):
                    yield seat
                    return
                hold(announced)  # The server reads on while the caller waits for room.
                async with self.queue.admission.admitted(tenant_id):
                    yield seat


class Seat:
    """One request's share of memory, quota and turns; it knows nothing of HTTP but how to read a body."""

    def __init__(self, intake: Intake, caller: Caller, hold: Hold, reservation: Reservation, work: Work) -> None:
        self._intake = intake
        self._caller = caller
        self._hold = hold
        self._reservation = reservation
        self._work = work

    async def read(self, request: Request, form: Form) -> bytes:
        """Return the decompressed body; raises what `serving.body.read` raises."""
        return await body.read(request, form, self._hold, self._work.inflate)

    async def run(self, steps: Steps[_Made], size: int) -> _Made:
        """Run steps of work on so many bytes: at once if they are few, else in the tenant's turn, which is kept."""
        if size < SMALL_BYTES and not self._work.has_turn:
            return finish(steps)
        return await self._work.inflate(steps)

    def allow(self, seconds: float) -> None:
        """Deduct time that a good body of another format deserves; see `large_bodies`."""
        self._work.allow(seconds)

    def tenant(self) -> Tenant:
        """Return the tenant as known now; raises what `Callers.require` raises."""
        return self._intake.callers.require(self._caller)

    def faults(self) -> Faults:
        """Return a judge of events of other formats, by the tenant as known now."""
        return self._intake.validation.faults(self._caller)

    async def confirm(self, violations: tuple[Violation, ...]) -> None:
        """Raise ClockAdrift if a clock may be to blame for all of these violations."""
        await self._intake.clock.confirm(violations)

    async def store(self, batch: bytes) -> "Ticket":
        """Queue a batch in the contract's JSON; raises what `Validation.entry` and `put` raise, and ClockAdrift."""
        return self.put(await self._entry(batch))

    def put(self, entry: Entry) -> "Ticket":
        """Queue an entry; raises Overloaded, Stopping, and what `Callers.require` and `Reservation.extend` raise."""
        self._intake.callers.require(self._caller)  # The body may have been slow, and then have waited for its turn.
        self._reservation.extend(entry.weight)
        stored = self._intake.queue.put(entry)
        self._reservation.keep(entry, stored)
        return Ticket(entry, stored)

    async def _entry(self, batch: bytes) -> Entry:
        try:
            return await self._intake.validation.entry(self._caller, batch, self._work)
        except (Malformed, Rejected) as refusal:
            certain = await self._intake.clock.confirm(refusal.violations)
            raise refusal if certain == refusal.violations else Rejected(certain) from None


class Ticket(NamedTuple):
    """A queued entry and its outcome to come."""

    entry: Entry
    stored: asyncio.Future[Receipt]

    async def receipt(self) -> Receipt:
        """Return the receipt after COMMIT; raises OutcomeUnknown and what a writer raises."""
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                receipt = await asyncio.shield(self.stored)
        except TimeoutError:
            raise OutcomeUnknown from None
        _count(self.entry, receipt)
        return receipt


def _count(entry: Entry, receipt: Receipt) -> None:
    if receipt.replayed:
        metrics.batches.labels("replayed").inc()
        metrics.events.labels("duplicate").inc(entry.events)
        return
    metrics.batches.labels("stored").inc()
    metrics.events.labels("accepted").inc(receipt.accepted)
    metrics.events.labels("duplicate").inc(receipt.duplicates)
