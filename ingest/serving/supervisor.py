"""Starts, stops and replaces the workers; runs in their parent process.

Hypercorn's own parent terminates all workers when the first ends, in the middle of their requests, and loses the exit
status of one that was killed. Here a worker that ends unasked ends the service, for the orchestrator to restart.
SIGTERM and SIGINT stop; SIGHUP replaces each worker by a new one, which reads the settings again.
"""

import asyncio
import multiprocessing
import signal
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from multiprocessing.synchronize import Event
from types import FrameType
from typing import NamedTuple

from hypercorn.config import Sockets
from prometheus_client.multiprocess import mark_process_dead

from ingest import logs
from ingest.errors import CannotStart
from ingest.logs import signals, stdio
from ingest.serving import listener, malloc, process, rebalance, worker_counts
from ingest.serving.application import Application
from ingest.serving.listener import Listener, Loop
from ingest.serving.metrics import Task
from ingest.serving.rebalance import Rebalancer
from ingest.serving.tasks import Tasks
from ingest.serving.worker_counts import WorkerCounts

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 60.0  # Longer than a worker waits for its connections and its writers together.
POLL_S = 0.1
CHECK_S = 5.0  # Between two checks that the workers' counts are still on disk.
RENEW_S = 60.0  # Between two attempts to restore them: each replaces all workers.
_STOPS = (signal.SIGTERM, signal.SIGINT)
_SIGNALS = (*_STOPS, signal.SIGHUP)


class _Events(NamedTuple):
    is_serving: Event
    drain: Event  # Report not ready, and keep serving.
    stop: Event


class Site(NamedTuple):
    """The application, configuration and listening sockets that all workers share."""

    application: Application
    config: Listener
    sockets: Sockets


class _Shared(NamedTuple):
    """Data that a worker shares with the others."""

    rebalancer: Rebalancer
    application: object  # What `Application.share` returned.


class _Worker(NamedTuple):
    process: SpawnProcess
    place: int  # Among the means of `rebalance`.
    events: _Events


def run(site: Site, counts: WorkerCounts, drain_s: float) -> int:
    """Serve until SIGTERM or SIGINT; return 0, or 1 if a worker ended unasked.

    A worker reports not ready for `drain_s` before it stops listening; after SIGINT it stops at once.
    """
    signal_reader: Connection[int, int]
    signal_writer: Connection[int, int]
    signal_reader, signal_writer = multiprocessing.Pipe(duplex=False)

    def forward(number: int, _frame: FrameType | None) -> None:
        signal_writer.send(number)

    # Before the line `starting`, whose reader may send one. Blocking is not enough: threads of numpy do not block them.
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
        events = _Events(*(self._context.Event() for _ in range(3)))
        place = self._places.pop()
        shared = _Shared(Rebalancer(self._means, place), self._shared_by_application)
        process = self._context.Process(target=_work, args=(self._site, shared, events))
        # A worker inherits the mask for good: only `stop` stops it, even if a terminal signals the whole group. In this
        # process signals stay pending until the mask is restored.
        with signals.held(_SIGNALS):
            process.start()
        return _Worker(process, place, events)

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
        deadline = time.monotonic() + STOP_TIMEOUT_S
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


def _work(site: Site, shared: _Shared, events: _Events) -> None:
    logs.capture()
    stdio.tolerate()
    stdio.seal()
    with logs.Guard():
        _serve(site, shared, events)


def _serve(site: Site, shared: _Shared, events: _Events) -> None:
    process.end_with_parent(signal.SIGKILL)
    malloc.keep()
    try:
        site.application.check()
    except CannotStart as failure:  # The parent's check passed: a worker started later reads the settings anew.
        stdio.tell(f"nocontent: {failure}")
        raise SystemExit(1) from None
    try:
        certificate = site.config.load_certificate()
    except CannotStart:
        logs.error("certificate-not-loaded")
        raise SystemExit(1) from None
    worker_counts.reserve()
    application = site.application.create(shared.application)
    application.state.rebalancer = shared.rebalancer
    tasks: Tasks[Task] = application.state.tasks

    async def until_asked() -> None:
        balancing = tasks.start("balance", shared.rebalancer.run)
        if certificate is not None:
            tasks.start("certificate", certificate.watch)
        events.is_serving.set()  # Hypercorn calls this once it listens.
        await _set(events.drain)
        balancing.cancel()
        tasks.drain()
        await _set(events.stop)

    with asyncio.Runner(loop_factory=Loop) as runner:
        runner.run(listener.serve(application, site.config, until_asked, site.sockets))


async def _set(event: Event) -> None:
    while not event.is_set():  # noqa: ASYNC110 (another process sets it)
        await asyncio.sleep(POLL_S)
