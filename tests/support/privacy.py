"""Bounds on probabilities and distributions from samples, each wrong with a probability below FALSE_ALARM."""

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import TypeVar

FALSE_ALARM = 1e-12
_T = TypeVar("_T")


def least_probability(count: int, runs: int) -> float:
    """Return a lower bound of the probability of something that came so often (Chernoff)."""
    return 1 - most_probability(runs - count, runs)


def most_probability(count: int, runs: int) -> float:
    """Return an upper bound of the probability of something that came so often (Chernoff)."""
    seen, low, high = count / runs, count / runs, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if runs * _divergence(seen, middle) < -math.log(FALSE_ALARM) else (low, middle)
    return high


def _divergence(seen: float, real: float) -> float:
    parts = ((seen, real), (1 - seen, 1 - real))
    return sum(part * math.log(part / whole) if whole else math.inf for part, whole in parts if part)


def distance(left: Sequence[int], right: Sequence[int]) -> float:
    """Return the largest difference between two empirical distribution functions (Kolmogorov-Smirnov)."""
    ordered = sorted(left), sorted(right)
    return max(
        abs(bisect_right(ordered[0], value) / len(left) - bisect_right(ordered[1], value) / len(right))
        for value in {*left, *right}
    )


def distance_max(left: int, right: int) -> float:
    """Return what the distance of samples of so many values of one distribution does not exceed (Massart)."""
    return sum(math.sqrt(math.log(2 / FALSE_ALARM) / (2 * count)) for count in (left, right))


def separates(
    event: Callable[[_T], bool], left: Sequence[_T], right: Sequence[_T], epsilon: float, delta: float
) -> bool:
    """Return whether an event is more probable on the left than (epsilon, delta) allows, by the bounds of both."""
    counts = [sum(map(event, outcomes)) for outcomes in (left, right)]
    least, most = least_probability(counts[0], len(left)), most_probability(counts[1], len(right))
    return least > math.exp(epsilon) * most + delta
