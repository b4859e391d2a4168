"""What a worker looks up from time to time for whoever operates it: partitions ahead, and gaps in streams."""

import time
from datetime import UTC, datetime

from ingest import logs, metrics
from ingest.store import partitions, streams
from ingest.store.pool import Connection

PARTITIONS_S = 30.0
PARTITIONS_LOW_DAYS = 3  # Of 7: by then maintenance has failed for four days.
STREAMS_S = 60.0


class Watch:
    """Asked to look whenever the snapshot is refreshed; does what is due."""

    def __init__(self) -> None:
        self.partitions_ahead_days = 0
        self._partitions_due_at = float("-inf")
        self._streams_due_at = float("-inf")

    @property
    def are_partitions_low(self) -> bool:
        return self.partitions_ahead_days < PARTITIONS_LOW_DAYS

    async def look(self, connection: Connection) -> None:
        """Look up what is due, and tell the metrics."""
        now = time.monotonic()
        if now >= self._partitions_due_at:
            await self._look_at_partitions(connection)
            self._partitions_due_at = now + PARTITIONS_S
        if now >= self._streams_due_at:
            metrics.stream_missing_sequences.set(await streams.missing_lately(connection))
            self._streams_due_at = now + STREAMS_S

    async def _look_at_partitions(self, connection: Connection) -> None:
        self.partitions_ahead_days = await partitions.ahead_days(connection, datetime.now(UTC).date())
        metrics.partitions_ahead_days.set(self.partitions_ahead_days)
        if self.are_partitions_low:
            logs.warning("partitions-low", count=self.partitions_ahead_days)
