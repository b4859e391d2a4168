"""Tasks that run as long as a worker: what may pass by itself does not end them, a bug does."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from ingest import logs
from ingest.serving import metrics

# No more open files, no memory, a time-out, which is an OSError too.
PASSING = (OSError, MemoryError)
AGAIN_S = 1.0
Name_contra = TypeVar("Name_contra", bound=str, contravariant=True)


class Tasks(Generic[Name_contra]):
    """Runs a worker's tasks until it stops; `broken` names those that a bug has ended before, and `/livez` tells.

    Each room declares the names of the tasks that it starts, as `Task` in its metrics.py.
    """

    def __init__(self) -> None:
        self.broken: set[str] = set()
        self.is_stopping = False
        self._running: list[asyncio.Task[None]] = []

    def start(self, name: Name_contra, work: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        """Start a task that belongs to the worker."""
        task = asyncio.create_task(keep_at(name, work), name=name)

        def notice(ended: asyncio.Task[None]) -> None:
            if not ended.cancelled() and (error := ended.exception()) is not None:
                self.broken.add(name)
                logs.error("bug", error=type(error).__name__, place=logs.place_of(error))

        task.add_done_callback(notice)
        self._running.append(task)
        return task

    def drain(self) -> None:
        """Report that the worker is not ready, and go on until load balancers have noticed."""
        self.is_stopping = True

    async def stop(self) -> None:
        """Cancel what still runs, and wait for its end."""
        self.drain()
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)


async def keep_at(name: str, work: Callable[[], Awaitable[None]]) -> None:
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
