"""Runs a worker's background tasks: restarts them after transient errors, and ends them at a bug."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from ingest import logs
from ingest.serving import metrics

# No free file descriptor, no memory, a time-out, which is an OSError too.
TRANSIENT = (OSError, MemoryError)
RESTART_DELAY_S = 1.0
Name_contra = TypeVar("Name_contra", bound=str, contravariant=True)


class Tasks(Generic[Name_contra]):
    """Runs tasks until the worker stops; `broken` names those ended by a bug, which `/livez` reports.

    Each package declares the names of its tasks as `Task` in its metrics.py.
    """

    def __init__(self) -> None:
        self.broken: set[str] = set()
        self.is_stopping = False
        self._running: list[asyncio.Task[None]] = []

    def start(self, name: Name_contra, work: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        """Start a task."""
        task = asyncio.create_task(run_with_restarts(name, work), name=name)

        def record_failure(ended: asyncio.Task[None]) -> None:
            if not ended.cancelled() and (error := ended.exception()) is not None:
                self.broken.add(name)
                logs.error("bug", error=type(error).__name__, place=logs.place_of(error))

        task.add_done_callback(record_failure)
        self._running.append(task)
        return task

    def drain(self) -> None:
        """Report not ready, so that load balancers notice; tasks go on."""
        self.is_stopping = True

    async def stop(self) -> None:
        """Cancel all tasks and wait until they end."""
        self.drain()
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)


async def run_with_restarts(name: str, work: Callable[[], Awaitable[None]]) -> None:
    """Run a task, and restart it a second after a transient error; raise any other."""
    while True:
        try:
            await work()
        except TRANSIENT as error:
            metrics.task_restarts.labels(name).inc()
            logs.warning("task-restarted", task=name, error=type(error).__name__, place=logs.place_of(error))
        else:
            return
        await asyncio.sleep(RESTART_DELAY_S)
