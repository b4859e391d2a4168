"""Histograms: quantiles are close to the exact ones, and merging loses nothing."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.usage import histogram
from schema.limits import LATENCY_MS_MAX

_TIMES = st.lists(st.integers(0, LATENCY_MS_MAX), min_size=1, max_size=200)


@given(_TIMES, st.sampled_from([0.5, 0.95, 0.99]))
def test_a_quantile_is_within_five_percent_of_the_exact_one(times: list[int], share: float) -> None:
    exact = sorted(times)[max(1, math.ceil(share * len(times))) - 1]
    found = histogram.quantile(histogram.of_times(times), share)
    assert found is not None
    assert abs(found - max(exact, 1)) <= 0.05 * max(exact, 1)


@given(_TIMES, _TIMES)
def test_a_merged_histogram_is_that_of_all_times(some: list[int], others: list[int]) -> None:
    parts = [histogram.of_times(some), histogram.of_times(others)]
    assert histogram.merge(parts) == histogram.of_times(some + others)


def test_a_histogram_without_times_has_no_quantile() -> None:
    assert histogram.quantile(histogram.of_times([]), 0.5) is None


@pytest.mark.parametrize(("ms", "number"), [(0, 0), (1, 0), (2, 8), (1000, 73), (LATENCY_MS_MAX, 216)])
def test_bins_are_those_of_the_stored_histograms(ms: int, number: int) -> None:
    assert histogram.bin_of(ms) == number
