"""Refreshes a worker's knowledge: reads the snapshot and PostgreSQL's clock once a second."""

import asyncio
import time
from contextlib import suppress

from ingest import logs
from ingest.errors import Unavailable
from ingest.intake.quota import Quotas
from ingest.intake.watch import Watch
from ingest.knowledge.snapshot import Snapshot
from ingest.store import connections, snapshot

REFRESH_S = 1.0
SNAPSHOT_WAIT_S = 5.0
SNAPSHOT_AGE_S_MAX = 10.0  # A revoked token works no longer than this, on any worker.
TAG_SETS_MAX = 200_000  # Some 60 MB.


class Refresher:
    """Owns the snapshot and its age; on the same connection it also refreshes the quotas and the watch."""

    def __init__(self, dsn: str, known: Snapshot, quotas: Quotas) -> None:
        self._dsn = dsn
        self._quotas = quotas
        self._refreshed_at = float("-inf")
        self._is_read = asyncio.Event()
        self.snapshot = known
        self.watch = Watch()

    @property
    def age_s(self) -> float:
        """Seconds since the last successful read began; infinite before the first."""
        return time.monotonic() - self._refreshed_at

    @property
    def is_fresh(self) -> bool:
        """True while tokens and terms are recent enough to decide by."""
        return self.age_s <= SNAPSHOT_AGE_S_MAX

    async def wait(self) -> None:
        """Wait up to SNAPSHOT_WAIT_S for the first snapshot: without one every request gets a 503."""
        with suppress(TimeoutError):
            async with asyncio.timeout(SNAPSHOT_WAIT_S):
                await self._is_read.wait()

    async def run(self) -> None:
        """Refresh until cancelled, over a new connection after each failure."""
        while True:
            try:
                async with connections.connected(self._dsn, "nocontent_writer") as connection:
                    while True:
                        await self._refresh(connection)
                        await self.snapshot.clock.pause(REFRESH_S)
            except Unavailable:
                logs.warning("snapshot-failed")
                await asyncio.sleep(REFRESH_S)

    async def _refresh(self, connection: connections.Connection) -> None:
        began = time.monotonic()
        if await snapshot.refresh(connection, self.snapshot):
            logs.info("snapshot-loaded", revision=self.snapshot.revision)
        limited = [known.tenant_id for known in self.snapshot.tenants.values() if known.events_per_minute_max]
        if limited:
            await self._quotas.refresh(connection, limited)
        forget_tag_sets(self.snapshot)
        self.snapshot.clock.report()
        await self.watch.look(connection)
        self._refreshed_at = began
        self._is_read.set()


def forget_tag_sets(known: Snapshot) -> None:
    """Bound the cached tag sets of all tenants together: the tenant with the most is cleared first."""
    tenants = sorted(known.tenants.values(), key=lambda tenant: -len(tenant.vocabulary.tags))
    kept = sum(len(tenant.vocabulary.tags) for tenant in tenants)
    for tenant in tenants:
        if kept <= TAG_SETS_MAX:
            return
        kept -= len(tenant.vocabulary.tags)
        tenant.vocabulary.tags.clear()
