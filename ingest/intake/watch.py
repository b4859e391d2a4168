"""Reads what operators watch from the database at intervals: partitions, gaps in streams, budgets."""

import time
from collections.abc import Mapping
from datetime import UTC

from ingest import logs
from ingest.intake import metrics
from ingest.store import partitions, retention, streams, vocabulary
from ingest.store.connections import Connection
from schema.event import Kind

PARTITIONS_S = 30.0
PARTITIONS_LOW_DAYS = 3  # Of 7: maintenance has then failed for four days.
LEDGER_S = 60.0


class Watch:
    """Looks at whatever is due, whenever the snapshot is refreshed."""

    def __init__(self) -> None:
        self.partitions_ahead_days = 0
        self._partitions_due_at = float("-inf")
        self._ledger_due_at = float("-inf")

    @property
    def are_partitions_low(self) -> bool:
        return self.partitions_ahead_days < PARTITIONS_LOW_DAYS

    async def look(self, connection: Connection) -> None:
        """Read what is due, and set the metrics."""
        now = time.monotonic()
        if now >= self._partitions_due_at:
            await self._look_at_partitions(connection)
            self._partitions_due_at = now + PARTITIONS_S
        if now >= self._ledger_due_at:
            metrics.stream_missing_sequences.set(await streams.missing_lately(connection))
            await self._look_at_budgets(connection)
            self._ledger_due_at = now + LEDGER_S

    async def _look_at_partitions(self, connection: Connection) -> None:
        now = (await retention.read_time(connection)).now
        self.partitions_ahead_days = await partitions.ahead_days(connection, now.astimezone(UTC).date())
        metrics.partitions_ahead_days.set(self.partitions_ahead_days)
        metrics.retention_behind_days.set(retention.behind_days(await retention.read(connection), now))
        metrics.maintenance_age_seconds.set(await partitions.seconds_since_round(connection))
        if self.are_partitions_low:
            logs.warning("partitions-low", count=self.partitions_ahead_days)

    async def _look_at_budgets(self, connection: Connection) -> None:
        _set_budgets(await vocabulary.budgets_left(connection))


def _set_budgets(budgets: Mapping[Kind, vocabulary.Left]) -> None:
    for kind, left in budgets.items():
        metrics.vocabulary_budget_left.labels("daily", kind.name.lower()).set(left.daily)
        metrics.vocabulary_budget_left.labels("total", kind.name.lower()).set(left.total)


_set_budgets(vocabulary.WHOLE)  # 0 would mean that all is spent.
