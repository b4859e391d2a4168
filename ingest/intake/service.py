"""Composes one worker's service, and starts and stops its tasks."""

import asyncio
from functools import partial

from ingest import logs
from ingest.intake import heartbeat, metrics
from ingest.intake.callers import Callers
from ingest.intake.learning import Learning
from ingest.intake.queue import Queue
from ingest.intake.quota import Quotas
from ingest.intake.quota_table import Table
from ingest.intake.refresher import Refresher
from ingest.intake.seat import ANSWER_TIMEOUT_S, Intake
from ingest.intake.settings import IntakeSettings
from ingest.intake.traffic import Traffic
from ingest.intake.validation import Validation
from ingest.intake.writer import Writer
from ingest.knowledge import gateway_keys
from ingest.knowledge.snapshot import Snapshot
from ingest.serving.tasks import Tasks
from ingest.store import maintenance
from ingest.store.database import require_dsn
from ingest.store.lending import Connections


class Service:
    """The parts of a worker that its HTTP layer calls."""

    def __init__(self, settings: IntakeSettings, table: Table, tasks: Tasks[metrics.Task]) -> None:
        self._settings = settings
        self._dsn = require_dsn(settings)
        self._writers: list[asyncio.Task[None]] = []
        self.tasks = tasks
        self.snapshot = Snapshot(first_days=settings.retention_days)
        self.queue = Queue()
        self.connections = Connections(self._dsn)
        self.quotas = Quotas(self._quota_of, table, lambda: self.snapshot.clock.now_s)
        self.refresher = Refresher(self._dsn, self.snapshot, self.quotas)
        self.callers = Callers(self.refresher, gateway_keys.named(settings))
        self.traffic = Traffic(self.connections)
        learning = Learning(self.connections, self.snapshot)
        validation = Validation(self.callers.require, self.snapshot.window, learning)
        self.intake = Intake(self.callers, self.snapshot.clock, self.quotas, validation, self.queue)

    async def start(self) -> None:
        """Start the tasks, and wait a while for the first snapshot."""
        beating = heartbeat.make(self.queue, self.tasks.broken, lambda: self.refresher.age_s)
        self.tasks.start("pulse", beating.run)
        self.tasks.start("refresher", self.refresher.run)
        self.tasks.start("traffic", self.traffic.run)
        if self._settings.maintain:
            work = partial(maintenance.run, self._dsn, self._settings.retention_days)
            self.tasks.start("maintainer", work)
        for _ in range(self._settings.writer_connections):
            self._writers.append(self.tasks.start("writer", Writer(self._dsn, self.queue).run))
        await self.refresher.wait()
        if self._settings.retention_days not in {None, self.snapshot.retention_days}:
            logs.warning("retention-differs", count=self.snapshot.retention_days)

    async def stop(self) -> None:
        """Accept nothing more, store what was queued, and close."""
        self.tasks.drain()
        self.queue.close()
        if self._writers:
            await asyncio.wait(self._writers, timeout=ANSWER_TIMEOUT_S)
        await self.traffic.stop()
        await self.tasks.stop()

    def _quota_of(self, tenant_id: int) -> int | None:
        known = self.snapshot.tenants.get(tenant_id)  # A restored database may lack the tenant.
        return known.events_per_minute_max if known else None
