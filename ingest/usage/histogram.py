"""Histograms of times that can be merged: bins grow by a tenth, so a quantile is within 5 % of the exact one.

The bin of x milliseconds is ceil(ln x / ln 1.1), as in DDSketch (Masson et al., VLDB 2019), and its value is in the
middle of the bin by ratio. `ingest.store.usage` computes the same bin in SQL.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

GAMMA = 1.1
_LOG_GAMMA = math.log(GAMMA)
ERROR = (GAMMA - 1) / (GAMMA + 1)  # 4.8 %, of the value of a bin to any time in it.


class Histogram(NamedTuple):
    """Bins, ascending, and how many times are in each."""

    bins: Sequence[int]
    counts: Sequence[int]

    @property
    def total(self) -> int:
        return sum(self.counts)


def bin_of(ms: int) -> int:
    """Return the bin of a time; that of 0 is the bin of 1."""
    return math.ceil(math.log(max(ms, 1)) / _LOG_GAMMA)


def value(number: int) -> float:
    """Return the milliseconds that stand for a bin, no more than ERROR from any time in it."""
    return 2 * GAMMA**number / (GAMMA + 1) if number else 1.0


def of_times(times: Iterable[int]) -> Histogram:
    """Return the histogram of times in milliseconds."""
    return _of_counts(Counter(bin_of(ms) for ms in times))


def merge(histograms: Iterable[Histogram]) -> Histogram:
    """Return the histogram of all times that any of them counts."""
    total: Counter[int] = Counter()
    for histogram in histograms:
        total.update(dict(zip(histogram.bins, histogram.counts, strict=True)))
    return _of_counts(total)


def quantile(histogram: Histogram, share: float) -> float | None:
    """Return the milliseconds that a share of the times does not exceed, or None if it counts none."""
    rank = max(1, math.ceil(share * histogram.total))
    seen = 0
    for number, count in zip(histogram.bins, histogram.counts, strict=True):
        seen += count
        if seen >= rank:
            return value(number)
    return None


def _of_counts(counts: Counter[int]) -> Histogram:
    bins = sorted(counts)
    return Histogram(bins, [counts[number] for number in bins])
