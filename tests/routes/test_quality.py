"""Intervals of rates and percentiles: what few requests do not show."""

import math

import pytest

from ingest.routes import quality
from ingest.routes.quality import LATER_BINS, MARGIN, REQUESTS_MIN, Rate


@pytest.mark.parametrize(
    ("bad", "of", "interval"),
    [  # By the formula of Wilson (1927), as in table I of Newcombe (1998).
        (81, 263, (0.2553, 0.3662)), (15, 148, (0.0624, 0.1605)), (0, 20, (0.0, 0.1611)), (1, 29, (0.0061, 0.1718)),
    ],
)  # fmt: skip
def test_an_interval_is_wilsons(bad: int, of: int, interval: tuple[float, float]) -> None:
    assert Rate(bad, of).interval == pytest.approx(interval, abs=5e-5)


def test_the_interval_of_a_difference_is_newcombes() -> None:
    """56 of 70 against 48 of 80, table II: from 0.0524 to 0.3339."""
    own, other = Rate(56, 70), Rate(48, 80)
    most = own.value - other.value + math.hypot(own.interval[1] - own.value, other.value - other.interval[0])
    assert most == pytest.approx(0.3339, abs=5e-5)


@pytest.mark.parametrize(
    ("own", "other", "is_worse"),
    [
        (Rate(0, 200), Rate(0, 10_000), False),
        (Rate(2, 200), Rate(100, 10_000), False),
        (Rate(4, 200), Rate(100, 10_000), True),  # Twice as many, and may be more.
        (Rate(40, 2_000), Rate(100, 10_000), False),  # As often as those, which more requests show.
        (Rate(500, 10_000), Rate(100, 10_000), True),
        (Rate(100, 10_000), Rate(500, 10_000), False),
        (Rate(200, 200), Rate(200, 200), False),
    ],
)
def test_a_rate_may_be_worse_by_the_margin(own: Rate, other: Rate, *, is_worse: bool) -> None:
    assert quality.may_be_worse(own, other) is is_worse
    assert 0 < MARGIN < 0.05


def test_a_percentile_of_few_requests_is_not_known() -> None:
    assert quality.p95({10: REQUESTS_MIN - 1}) is None
    assert quality.may_be_later({10: REQUESTS_MIN - 1}, {10: REQUESTS_MIN}) is None
    assert quality.p95({10: REQUESTS_MIN}) == (10, 10, 10)


def test_a_model_may_be_later_if_its_percentile_or_interval_is() -> None:
    asked = {50: 1_000}
    assert quality.may_be_later({50 + LATER_BINS: 1_000}, asked) is False
    assert quality.may_be_later({50 + LATER_BINS + 1: 1_000}, asked) is True
    few, many = {50: 193, 60: 7}, {50: 9_650, 60: 350}  # 3.5 % are late, of 200 and of 10,000.
    assert quality.may_be_later(few, asked) is True
    assert quality.may_be_later(many, asked) is False
