"""Waits until a statement on another connection waits for a lock."""

import asyncio

from ingest.store.connections import Connection

_WAITS = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND pid = $1)"


async def until_blocked_or_done(watcher: Connection, busy: Connection, task: asyncio.Task[object]) -> None:
    """Return as soon as the task, which uses a connection, waits for a lock or has ended."""
    while not task.done() and not await watcher.fetchval(_WAITS, busy.get_server_pid()):  # noqa: ASYNC110 - no event.
        await asyncio.sleep(0.01)
