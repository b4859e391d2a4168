"""What the metrics of all rooms share; each room declares its own in metrics.py, so a process has those it imports."""

from collections.abc import Iterable

from prometheus_client import Counter

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


def begin_at_zero(counter: Counter, values: Iterable[str]) -> None:
    """Show the series of each value of the only label as 0: rate() does not see the first count of a new series."""
    for value in values:
        counter.labels(value)
