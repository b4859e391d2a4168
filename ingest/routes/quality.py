"""Compares how often requests ended badly, by intervals rather than by bare rates: few requests show little.

Metadata is no measure of an answer's quality. These guards see answers that failed, were asked for again, were taken
over by another model, or came late, and nothing else.
"""

import math
from typing import NamedTuple

from ingest.store.gateway.evidence import Bins

REQUESTS_MIN = 200
MARGIN = 0.03  # A model may be worse by less than this part of its requests, as far as the interval shows.
LATER_BINS = 2  # Of the histogram: a fifth later.
_P95 = 0.95
_Z = 1.96  # 95 of 100 intervals contain the rate.


class Rate(NamedTuple):
    """How many of some requests ended badly in one way."""

    bad: int
    of: int

    @property
    def value(self) -> float:
        return self.bad / self.of

    @property
    def is_known(self) -> bool:
        return self.of >= REQUESTS_MIN

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's interval."""
        n, p = self.of, self.value
        middle = p + _Z * _Z / (2 * n)
        half = _Z * math.sqrt(p * (1 - p) / n + _Z * _Z / (4 * n * n))
        whole = 1 + _Z * _Z / n
        return max(0.0, (middle - half) / whole), min(1.0, (middle + half) / whole)


def may_be_worse(own: Rate, other: Rate) -> bool:
    """Return whether a rate may be higher than another by MARGIN or more, by Newcombe's interval of the difference."""
    upper, lower = own.interval[1], other.interval[0]
    most = own.value - other.value + math.hypot(upper - own.value, other.value - lower)
    return most >= MARGIN


class Span(NamedTuple):
    """The bins of a histogram between which a percentile lies."""

    least: int
    middle: int
    most: int


def p95(bins: Bins) -> Span | None:
    """Return the bins of the 95th percentile and of its interval; None of fewer requests than show it."""
    total = sum(bins.values())
    if total < REQUESTS_MIN:
        return None
    half = _Z * math.sqrt(_P95 * (1 - _P95) / total)
    shares = (_P95 - half, _P95, min(1.0, _P95 + half))
    return Span(*(_bin(bins, math.ceil(share * total)) for share in shares))


def may_be_later(own: Bins, other: Bins) -> bool | None:
    """Return whether a model's 95th percentile may be later than another's by LATER_BINS; None if it is not known."""
    its, others = p95(own), p95(other)
    return None if its is None or others is None else its.most - others.most > LATER_BINS


def _bin(bins: Bins, rank: int) -> int:
    seen = 0
    for number in sorted(bins):
        seen += bins[number]
        if seen >= rank:
            return number
    raise AssertionError
