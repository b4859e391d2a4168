"""Tasks that run as long as a worker: what may pass by itself does not end them, a bug does."""

import asyncio
from collections.abc import Awaitable, Callable

from ingest import logs, metrics

# No more open files, no memory, a time-out, which is an OSError too.
PASSING = (OSError, MemoryError)
AGAIN_S = 1.0


async def keep_at(name: metrics.Task, work: Callable[[], Awaitable[None]]) -> None:
    """Run it, and begin anew a second after something ended it that may pass; a bug is raised."""
    while True:
        try:
            await work()
        except PASSING as error:
            metrics.task_restarts.labels(name).inc()
            logs.warning("task-restarted", task=name, error=type(error).__name__, place=logs.place_of(error))
        else:
            return
        await asyncio.sleep(AGAIN_S)
