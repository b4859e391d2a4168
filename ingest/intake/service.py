"""One worker's machine: what it knows, what it queues, and the tasks that keep both moving."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from uuid import UUID

from ingest import logs, metrics
from ingest.config import Settings, require_dsn
from ingest.errors import Malformed, OutcomeUnknown, Rejected
from ingest.intake.callers import Caller, Callers
from ingest.intake.heartbeat import Heartbeat
from ingest.intake.large_bodies import LargeBodies, Work
from ingest.intake.learning import Learning
from ingest.intake.queue import Queue
from ingest.intake.quota import Quotas, Reservation
from ingest.intake.quota_table import Table
from ingest.intake.refresher import Refresher
from ingest.intake.validation import Validation
from ingest.intake.writer import Writer
from ingest.serving.body_memory import BodyMemory
from ingest.serving.tasks import Tasks
from ingest.store import maintenance, streams
from ingest.store.batches import Entry
from ingest.store.lending import Connections
from ingest.store.snapshot import Snapshot
from schema.receipt import Receipt

ANSWER_TIMEOUT_S = 25.0  # Longer than a flush and one before it.
LOOK_UP_S_MAX = 2.0  # Of a stream: its tenant's learning waits for it.


class Service:
    """Started and stopped with the worker; what the HTTP layer calls."""

    def __init__(self, settings: Settings, table: Table, tasks: Tasks) -> None:
        self.settings = settings
        self.tasks = tasks
        self.snapshot = Snapshot(first_days=settings.retention_days)
        self.queue = Queue()
        self.body_memory = BodyMemory()
        self.large_bodies = LargeBodies()
        self._dsn = require_dsn(settings)
        self._connections = Connections(self._dsn)
        self._writers: list[asyncio.Task[None]] = []
        self.quotas = Quotas(self._quota_of, table, lambda: self.snapshot.clock.now_s)
        self.refresher = Refresher(self._dsn, self.snapshot, self.quotas)
        self.callers = Callers(self.refresher)
        learning = Learning(self._connections, self.snapshot)
        self._validation = Validation(self.callers.require, self.snapshot.window, learning)

    async def start(self) -> None:
        """Start the tasks, and wait a while for the first snapshot."""
        heartbeat = Heartbeat(self.queue, self.tasks.broken, lambda: self.refresher.age_s)
        self.tasks.start("pulse", heartbeat.run)
        self.tasks.start("refresher", self.refresher.run)
        if self.settings.maintain:
            work = partial(maintenance.run, self._dsn, self.settings.retention_days)
            self.tasks.start("maintainer", work)
        for _ in range(self.settings.writer_connections):
            self._writers.append(self.tasks.start("writer", Writer(self._dsn, self.queue).run))
        await self.refresher.wait()
        if self.settings.retention_days not in {None, self.snapshot.retention_days}:
            logs.warning("retention-differs", count=self.snapshot.retention_days)

    async def stop(self) -> None:
        """Take no more, finish what was taken, close."""
        self.tasks.drain()
        self.queue.close()
        if self._writers:
            await asyncio.wait(self._writers, timeout=ANSWER_TIMEOUT_S)
        await self.tasks.stop()

    @asynccontextmanager
    async def admitted(self, caller: Caller, hold: Callable[[], None]) -> AsyncIterator[None]:
        """Raise what any batch would meet now, before its body costs anything: Overloaded, Stopping.

        Whoever has to wait for room has it until the end of the block. `hold` counts its body meanwhile, because the
        server reads on.
        """
        if not self.queue.is_full(caller.tenant_id):
            yield
            return
        hold()
        async with self.queue.admission.called(caller.tenant_id):
            yield

    async def prepare(self, caller: Caller, body: bytes, work: Work) -> Entry:
        """Turn a body into what can be stored; raises what `Validation.entry` raises, and ClockAdrift."""
        try:
            return await self._validation.entry(caller, body, work)
        except (Malformed, Rejected) as refusal:
            raise await self.snapshot.clock.confirm(refusal) from None

    def put(self, caller: Caller, entry: Entry, reservation: Reservation) -> asyncio.Future[Receipt]:
        """Queue an entry for the writers; raises Overloaded, Stopping, what `require` raises and what `extend` does."""
        self.callers.require(caller)  # The body may have come slowly, and waited for its turn since.
        reservation.extend(entry.weight)
        stored = self.queue.put(entry)
        reservation.keep(entry, stored)
        return stored

    async def receipt(self, entry: Entry, stored: asyncio.Future[Receipt]) -> Receipt:
        """Give the receipt, after COMMIT; raises what a writer answers."""
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                receipt = await asyncio.shield(stored)
        except TimeoutError:
            raise OutcomeUnknown from None
        _count(entry, receipt)
        return receipt

    async def stream(self, caller: Caller, stream_id: UUID) -> streams.StreamState:
        """Sum up a stream of the caller's tenant; raises StreamNotFound."""
        async with self._connections.lent(caller.tenant_id) as connection, asyncio.timeout(LOOK_UP_S_MAX):
            return await streams.state(connection, caller.tenant_id, stream_id)

    def _quota_of(self, tenant_id: int) -> int | None:
        return self.snapshot.tenants[tenant_id].events_per_minute_max


def _count(entry: Entry, receipt: Receipt) -> None:
    if receipt.replayed:
        metrics.batches.labels("replayed").inc()
        metrics.events.labels("duplicate").inc(entry.events)
        return
    metrics.batches.labels("stored").inc()
    metrics.events.labels("accepted").inc(receipt.accepted)
    metrics.events.labels("duplicate").inc(receipt.duplicates)
