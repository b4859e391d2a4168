"""Starts, stops and replaces the workers; runs in their parent process.

Hypercorn's own parent terminates all workers when the first ends, in the middle of their requests, and loses the exit
status of one that was killed. Here a worker that ends unasked ends the service, for the orchestrator to restart.
SIGTERM and SIGINT stop; SIGHUP replaces each worker by a new one, which reads the settings again.
"""

import gc
import multiprocessing
import signal
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import FrameType
from typing import NamedTuple

from prometheus_client.multiprocess import mark_process_dead

from ingest import logs
from ingest.errors import CannotStart
from ingest.logs import signals, stdio
from ingest.serving import process, rebalance
from ingest.serving.rebalance import Rebalancer
from ingest.serving.site import Events, Shared, Site
from ingest.serving.worker_counts import WorkerCounts

START_TIMEOUT_S = 60.0
STOP_SPARE_S = 30.0  # For a worker to end its tasks, once it no longer waits for its connections.
POLL_S = 0.1
CHECK_S = 5.0  # Between two checks that the workers' counts are still on disk.
RENEW_S = 60.0  # Between two attempts to restore them: each replaces all workers.
_STOPS = (signal.SIGTERM, signal.SIGINT)
_SIGNALS = (*_STOPS, signal.SIGHUP)


class _Worker(NamedTuple):
    process: SpawnProcess
    place: int  # Among the means of `rebalance`.
    events: Events


def run(site: Site, counts: WorkerCounts, drain_s: float) -> int:
    """Serve until SIGTERM or SIGINT; return 0, or 1 if a worker ended unasked.

    A worker reports not ready for `drain_s` before it stops listening; after SIGINT it stops at once.
    """
    signal_reader: Connection[int, int]
    signal_writer: Connection[int, int]
    signal_reader, signal_writer = multiprocessing.Pipe(duplex=False)

    def forward(number: int, _frame: FrameType | None) -> None:
        signal_writer.send(number)

    # Before the line `starting`, whose reader may send one.
    for each in _SIGNALS:
        signal.signal(each, forward)
    logs.info("starting", count=site.config.workers)
    with signals.held(_SIGNALS):  # For good in multiprocessing's resource tracker, which starts here.
        crew = _Crew(site, counts, drain_s, signal_reader)
    crew.workers = [crew.start() for _ in range(site.config.workers)]
    while True:
        if not wait([crew.signal_reader, *(worker.process.sentinel for worker in crew.workers)], CHECK_S):
            crew.restore_counts()
            continue
        number: int | None = crew.signal_reader.recv() if crew.signal_reader.poll() else None
        if number == signal.SIGHUP:
            crew.replace_each()
            continue
        if number is None:
            logs.error("worker-lost")
        crew.stop(crew.workers, drain_s if number == signal.SIGTERM else 0.0)
        return 0 if number in _STOPS else 1


class _Crew:
    """The workers, and the pipe that queues signals."""

    def __init__(self, site: Site, counts: WorkerCounts, drain_s: float, signal_reader: "Connection[int, int]") -> None:
        self.workers: list[_Worker] = []
        self.signal_reader = signal_reader
        self._context = multiprocessing.get_context("spawn")
        self._drain_s = drain_s
        self._site = site
        self._counts = counts
        self._renewed_at = float("-inf")
        self._means = rebalance.shared(site.config.workers + 1)  # One more, during a replacement.
        self._shared_by_application = site.application.share()
        self._places = list(range(len(self._means)))

    def start(self) -> _Worker:
        events = Events(*(self._context.Event() for _ in range(3)))
        place = self._places.pop()
        shared = Shared(Rebalancer(self._means, place), self._shared_by_application)
        started = self._context.Process(target=_work, args=(self._site, shared, events))
        # A worker inherits the mask for good: only `stop` stops it, even if a terminal signals the whole group. In this
        # process signals stay pending until the mask is restored.
        with signals.held(_SIGNALS):
            started.start()
        return _Worker(started, place, events)

    def replace_each(self) -> None:
        """Replace each worker by a new one; stop at one that does not start, or at another signal."""
        if not self._counts.has(()) and not self._renew_counts():
            return
        for place, old in enumerate(self.workers):
            new = self.start()
            if self.signal_reader.poll() or not _serves(new):
                logs.error("worker-not-replaced")
                new.process.kill()
                new.process.join()
                self._forget(new)
                break
            self.workers[place] = new
            self.stop([old], self._drain_s)
            logs.info("worker-replaced")

    def restore_counts(self) -> None:
        """Replace workers whose counts were deleted: they write to files that nobody can open any more."""
        serving = (worker.process.pid or 0 for worker in self.workers if worker.events.is_serving.is_set())
        if self._counts.has(serving) or time.monotonic() < self._renewed_at + RENEW_S:
            return
        if self._renew_counts():
            self.replace_each()

    def _renew_counts(self) -> bool:
        self._renewed_at = time.monotonic()
        try:
            self._counts.renew()
        except CannotStart:  # Running workers need no folder.
            logs.error("worker-not-replaced")
            return False
        logs.warning("counts-lost")
        return True

    def stop(self, workers: Sequence[_Worker], drain_s: float) -> None:
        """Stop workers after `drain_s`, in which load balancers notice; another signal cuts it short."""
        for worker in workers:
            worker.events.drain.set()
        if drain_s:
            wait([self.signal_reader], drain_s)
        for worker in workers:
            worker.events.stop.set()
        deadline = time.monotonic() + self._site.config.graceful_timeout + STOP_SPARE_S
        for worker in workers:
            worker.process.join(max(0.0, deadline - time.monotonic()))
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
            self._forget(worker)

    def _forget(self, worker: _Worker) -> None:
        self._means[worker.place] = rebalance.AWAY
        self._places.append(worker.place)
        mark_process_dead(worker.process.pid)  # type: ignore[no-untyped-call]  # The library's.


def _serves(worker: _Worker) -> bool:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and worker.process.is_alive():
        if worker.events.is_serving.wait(POLL_S):
            return True
    return False


def _work(site: Site, shared: Shared, events: Events) -> None:
    logs.capture()
    stdio.tolerate()
    stdio.seal()
    with logs.Guard():
        process.end_with_parent(signal.SIGKILL)
        if events.stop.is_set():  # The service was stopped while it started.
            return
        gc.disable()  # Until the application is there: the collector would look at each module again and again.
        from ingest.serving import worker  # noqa: PLC0415 (the parent needs none of it)

        worker.run(site, shared, events)
