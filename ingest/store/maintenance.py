"""Maintains partitions: creates them ahead and drops them at retention, in the service or by `nocontent maintain`."""

import asyncio
import time

from ingest import logs
from ingest.errors import Unavailable
from ingest.store import connections, partitions, retention
from ingest.store.partitions import Kept

INTERVAL_S = 600.0
RETRY_S = 30.0
TURN_S = 0.5


async def keep(dsn: str, first_days: int | None) -> Kept:
    """Do one round; raises Unavailable. `first_days` is the retention for a database that has none yet."""
    async with connections.connected(dsn, "nocontent_maintainer") as connection:
        return await partitions.keep(connection, first_days)


async def keep_in_turn(dsn: str, first_days: int | None, patience_s: float) -> Kept:
    """Do one round, after waiting for another maintainer to end; raises Unavailable."""
    until = time.monotonic() + patience_s
    kept = await keep(dsn, first_days)
    while not kept.was_leader and time.monotonic() < until:
        await asyncio.sleep(TURN_S)
        kept = await keep(dsn, first_days)
    return kept


async def days(dsn: str) -> int | None:
    """Return the database's retention, or None if it has none yet; raises Unavailable."""
    async with connections.connected(dsn, "nocontent_maintainer") as connection:
        known = await retention.read(connection)
        return None if known is None else known.days


async def run(dsn: str, first_days: int | None) -> None:
    """Maintain forever; a failure is logged and retried, since there are days to spare."""
    while True:
        try:
            started = time.monotonic()
            kept = await keep(dsn, first_days)
            if kept.created or kept.dropped:
                duration_ms = int((time.monotonic() - started) * 1000)
                logs.info("partitions-kept", count=kept.created + kept.dropped, duration_ms=duration_ms)
            if kept.is_held_back:
                logs.warning("retention-withheld", count=kept.behind_days)
            if kept.failed:
                logs.error("maintenance-failed", count=kept.failed)
            # A postponed day only takes up disk space, so it can wait for the next round.
            await asyncio.sleep(RETRY_S if kept.failed else INTERVAL_S)
        except Unavailable:
            logs.error("maintenance-failed")
            await asyncio.sleep(RETRY_S)
