"""The parent of the workers: starts them, passes a stop on, and ends with them.

Hypercorn's own parent terminates the other workers as soon as the first has ended, in the middle of what they have
taken, and forgets that one was killed. A worker that ends unasked ends the service: whoever runs it starts it anew.
"""

import multiprocessing
import signal
import time
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from types import FrameType

from hypercorn.asyncio.run import uvloop_worker
from hypercorn.config import Config

from ingest import lifeline, logs

STOP_TIMEOUT_S = 60.0  # Longer than a worker waits for its connections and then for its writers.


def run(config: Config) -> int:
    """Serve until SIGTERM or SIGINT; gives 0, or 1 if a worker ended unasked. Raises OSError for a taken address."""
    sockets = config.create_sockets()
    context = multiprocessing.get_context("spawn")
    stop = context.Event()

    def ask_to_stop(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    # The workers inherit what is ignored here: only `stop` stops them, also when a terminal signals the whole group.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    workers = [
        context.Process(target=_work, kwargs={"config": config, "sockets": sockets, "shutdown_event": stop})
        for _ in range(config.workers)
    ]
    for worker in workers:
        worker.start()
    signal.signal(signal.SIGINT, ask_to_stop)
    signal.signal(signal.SIGTERM, ask_to_stop)
    wait([worker.sentinel for worker in workers])
    was_asked = stop.is_set()
    stop.set()
    _join(workers)
    if not was_asked:
        logs.error("worker-lost")
    return 0 if was_asked else 1


def _work(**given: object) -> None:
    lifeline.end_with_parent(signal.SIGKILL)
    uvloop_worker(**given)  # type: ignore[arg-type]  # What `run` gives, through a process that takes keywords only.


def _join(workers: list[SpawnProcess]) -> None:
    deadline = time.monotonic() + STOP_TIMEOUT_S
    for worker in workers:
        worker.join(max(0.0, deadline - time.monotonic()))
        if worker.is_alive():
            worker.kill()
            worker.join()
