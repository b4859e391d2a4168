"""Shared parts of metrics. Each room declares its own in its metrics.py, so a process has those that it imports."""

from collections.abc import Iterable

from prometheus_client import Counter

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


def begin_at_zero(counter: Counter, values: Iterable[str]) -> None:
    """Create a series at 0 for each value of the only label, because rate() misses the first count of a new series."""
    for value in values:
        counter.labels(value)
