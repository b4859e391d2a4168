"""Adds to a worker's heartbeat what is queued and how old its knowledge is."""

import time
from collections.abc import Callable, Collection

from ingest.intake.metrics import queue_age_seconds, snapshot_age_seconds
from ingest.intake.queue import Queue
from ingest.serving.heartbeat import Heartbeat


def make(queue: Queue, broken: Collection[str], snapshot_age_s: Callable[[], float]) -> Heartbeat:
    """Return the heartbeat of a worker that accepts events."""
    began = time.monotonic()

    def report() -> None:
        queue_age_seconds.set(queue.age_s)
        # Before the first snapshot, the worker's own age counts.
        snapshot_age_seconds.set(min(snapshot_age_s(), time.monotonic() - began))

    return Heartbeat(broken, report)
