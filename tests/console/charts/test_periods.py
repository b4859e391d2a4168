"""Periods: whole hours in the viewer's zone, whole days of UTC when they are long, and the fair period before each."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.console.charts import periods
from ingest.console.charts.periods import RANGES, UTC_ZONE, InvalidRange

NEW_YORK, KOLKATA, KATHMANDU = ZoneInfo("America/New_York"), ZoneInfo("Asia/Kolkata"), ZoneInfo("Asia/Kathmandu")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOW = datetime(2026, 11, 28, 8, 20, tzinfo=UTC)


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "zone", "since", "before", "unit"),
    [
        ("24h", NEW_YORK, "2026-11-27 09:00", "2026-11-28 09:00", "hour"),
        ("7d", NEW_YORK, "2026-11-22 05:00", "2026-11-28 09:00", "day"),
        ("7d", UTC_ZONE, "2026-11-22 00:00", "2026-11-29 00:00", "day"),
        ("7d", KOLKATA, "2026-11-21 19:00", "2026-11-28 09:00", "day"),
        ("30d", NEW_YORK, "2026-10-30 00:00", "2026-11-29 00:00", "day"),
        ("90d", NEW_YORK, "2026-08-31 00:00", "2026-11-29 00:00", "day"),
        ("12m", NEW_YORK, "2025-12-01 00:00", "2026-11-29 00:00", "month"),
        ("month", NEW_YORK, "2026-11-01 00:00", "2026-11-29 00:00", "day"),
        ("last-month", NEW_YORK, "2026-10-01 00:00", "2026-11-01 00:00", "day"),
    ],
)
def test_a_range_is_of_the_zone_if_it_is_short_and_of_utc_if_it_is_long(
    name: str, zone: ZoneInfo, since: str, before: str, unit: str
) -> None:
    found = periods.of_name(name, NOW, zone).period
    assert (found.since, found.before, found.unit) == (_at(since), _at(before), unit)


@pytest.mark.parametrize(
    ("name", "zone", "since", "before"),
    [
        ("24h", NEW_YORK, "2026-11-26 09:00", "2026-11-27 09:00"),
        ("7d", NEW_YORK, "2026-11-15 05:00", "2026-11-21 09:00"),  # As much of its last day as has passed of today.
        ("30d", NEW_YORK, "2026-09-30 00:00", "2026-10-30 00:00"),
        ("month", NEW_YORK, "2026-10-01 00:00", "2026-10-29 00:00"),
        ("last-month", NEW_YORK, "2026-09-01 00:00", "2026-10-01 00:00"),
        ("12m", NEW_YORK, "2024-12-01 00:00", "2025-11-29 00:00"),
    ],
)
def test_the_period_before_is_as_long_or_the_same_days_of_the_month_before(
    name: str, zone: ZoneInfo, since: str, before: str
) -> None:
    found = periods.of_name(name, NOW, zone).earlier
    assert (found.since, found.before) == (_at(since), _at(before))


def test_the_last_of_march_is_compared_with_the_whole_of_february() -> None:
    found = periods.of_name("month", datetime(2026, 3, 31, 12, tzinfo=UTC), NEW_YORK).earlier
    assert (found.since, found.before) == (_at("2026-02-01 00:00"), _at("2026-03-01 00:00"))


def test_a_day_on_which_clocks_change_has_all_of_its_hours() -> None:
    found = periods.of_dates("2026-03-08", "2026-03-08", NOW, NEW_YORK).period
    assert (found.since, found.before) == (_at("2026-03-08 05:00"), _at("2026-03-09 04:00"))
    assert len(found.starts()) == 23


def test_dates_are_of_utc_beyond_the_days_that_are_read_by_hours() -> None:
    of_models = periods.of_dates("2026-11-01", "2026-11-07", NOW, NEW_YORK)
    of_all = periods.of_dates("2026-11-01", "2026-11-07", NOW, NEW_YORK, 2)
    assert (of_models.period.since, of_all.period.since) == (_at("2026-11-01 04:00"), _at("2026-11-01 00:00"))
    assert not of_models.is_running


@pytest.mark.parametrize(
    ("since", "until"),
    [
        ("2026-11-08", "2026-11-07"), ("2026-02-30", "2026-03-01"), ("", "2026-03-01"), ("2026-03-01", "soon"),
        ("1999-12-31", "2026-03-01"), ("2026-03-01", "2100-01-01"), ("2010-01-01", "2026-01-01"),
        ("0001-01-01", "9999-12-31"),
    ],
)  # fmt: skip
def test_dates_that_are_none_or_reversed_or_too_far_apart_are_refused(since: str, until: str) -> None:
    with pytest.raises(InvalidRange):
        periods.of_dates(since, until, NOW, NEW_YORK)


def test_an_unknown_range_is_refused() -> None:
    with pytest.raises(InvalidRange):
        periods.of_name("forever", NOW, NEW_YORK)


MOMENTS = st.integers(0, 10 * 366 * 86_400).map(
    lambda seconds: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)
ZONES = st.sampled_from(
    [UTC_ZONE, NEW_YORK, KOLKATA, KATHMANDU, *map(ZoneInfo, ("Pacific/Apia", "Africa/Cairo", "Pacific/Chatham"))]
)


@given(name=st.sampled_from([*RANGES]), now=MOMENTS, zone=ZONES)
def test_periods_are_whole_hours_and_every_time_has_one_unit(name: str, now: datetime, zone: ZoneInfo) -> None:
    choice = periods.of_name(name, now, zone)
    for period in (choice.period, choice.earlier):
        starts = period.starts()
        assert period.since < period.before
        assert (period.since - periods.BEGINNING) % HOUR == (period.before - periods.BEGINNING) % HOUR == timedelta()
        assert starts == sorted(set(starts))
        assert starts[0] <= period.since < period.before
        assert period.place(starts, period.since) == 0
        assert period.place(starts, period.before - HOUR) == len(starts) - 1
    assert choice.earlier.since < choice.period.since
    assert choice.earlier.before <= choice.period.since or name in {"month", "12m"}
    if choice.is_running and name != "last-month":
        assert choice.period.since <= now + HOUR


@given(first=st.dates(date(2020, 1, 1), date(2029, 1, 1)), days=st.integers(0, 400), now=MOMENTS, zone=ZONES)
def test_any_dates_make_a_period(first: date, days: int, now: datetime, zone: ZoneInfo) -> None:
    choice = periods.of_dates(first.isoformat(), (first + days * DAY).isoformat(), now, zone)
    assert choice.period.since < choice.period.before
    assert choice.earlier.before <= choice.period.since + HOUR
