"""Months of tenants: local midnights, DST, moves between time zones; never a gap or an overlap."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.errors import CannotStart
from ingest.knowledge.billing import Period, Subscription
from ingest.usage.billing import periods
from tests.support.metering import utc

_ZONES = [
    "UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Asia/Kolkata", "Asia/Kathmandu", "Africa/Cairo",
    "Australia/Lord_Howe", "Pacific/Chatham", "Pacific/Kiritimati", "Pacific/Apia", "America/St_Johns", "Asia/Beirut",
    "America/Asuncion", "America/Havana", "Pacific/Niue",
]  # fmt: skip
_MONTHS = st.integers(0, 12 * 15).map(lambda count: periods.following(date(2020, 1, 1), count))


@pytest.mark.parametrize(
    ("month", "zone", "expected"),
    [
        (date(2026, 11, 1), "UTC", utc(2026, 11)),
        (date(2026, 11, 1), "Europe/Berlin", utc(2026, 10, 31, 23)),
        (date(2026, 4, 1), "Europe/Berlin", utc(2026, 3, 31, 22)),
        (date(2026, 11, 1), "Asia/Kolkata", utc(2026, 10, 31, 18, 30)),
        (date(2026, 11, 1), "Asia/Kathmandu", utc(2026, 10, 31, 18, 15)),
        (date(2026, 11, 1), "America/New_York", utc(2026, 11, 1, 4)),  # The hour from 1 to 2 comes twice that day.
        (date(2017, 10, 1), "America/Asuncion", utc(2017, 10, 1, 4)),  # Midnight is skipped: the day begins at 1.
        (date(2020, 11, 1), "America/Havana", utc(2020, 11, 1, 4)),  # Midnight comes twice: the first counts.
    ],
)
def test_a_month_begins_at_the_first_instant_of_its_first_day(month: date, zone: str, expected: datetime) -> None:
    begins = periods.midnight(month, zone)
    assert begins == expected
    assert begins.astimezone(ZoneInfo(zone)).date() == month
    assert (begins - timedelta(microseconds=1)).astimezone(ZoneInfo(zone)).date() < month


@given(
    st.lists(st.tuples(_MONTHS, st.sampled_from(_ZONES), st.booleans()), min_size=1, max_size=6),
    st.integers(1, 40),
)
def test_periods_neither_overlap_nor_leave_a_gap(moves: list[tuple[date, str, bool]], count: int) -> None:
    latest = {month: (zone, is_on) for month, zone, is_on in moves}
    subscriptions = [
        Subscription(month=month, plan_id=1 if is_on else None, time_zone=zone)
        for month, (zone, is_on) in sorted(latest.items())
    ]
    month = subscriptions[0].month
    assert periods.period(subscriptions, periods.following(month, -1), {}) is None
    before = None
    for _ in range(count):
        found = periods.period(subscriptions, month, {})
        assert found is not None
        assert found.start < found.end
        assert found.start.timestamp() % 900 == found.end.timestamp() % 900 == 0
        assert before is None or found.start == before
        middle = found.start + (found.end - found.start) / 2
        assert periods.current(subscriptions, middle, {}) == found
        before, month = found.end, periods.following(month)


def test_a_move_takes_effect_where_the_old_zone_ends_its_month() -> None:
    moved = [
        Subscription(month=date(2026, 1, 1), plan_id=1, time_zone="Asia/Tokyo"),
        Subscription(month=date(2026, 3, 1), plan_id=1, time_zone="America/New_York"),
    ]
    february, march = (periods.period(moved, date(2026, month, 1), {}) for month in (2, 3))
    assert february
    assert march
    assert (february.start, february.end) == (utc(2026, 1, 31, 15), utc(2026, 2, 28, 15))
    assert (march.start, march.end) == (utc(2026, 2, 28, 15), utc(2026, 4, 1, 4))


def test_a_month_begins_where_an_invoice_ended_the_one_before_whatever_the_zones_say_now() -> None:
    own = [Subscription(month=date(2026, 1, 1), plan_id=1, time_zone="UTC")]
    january = periods.period(own, date(2026, 1, 1), {})
    assert january
    issued = {january.month: Period(month=january.month, start=january.start, end=utc(2026, 2, 1, 1), time_zone="UTC")}
    february = periods.period(own, date(2026, 2, 1), issued)
    assert february
    assert february.start == utc(2026, 2, 1, 1)


def test_the_repeated_hour_of_dst_is_in_one_month_only_and_counts_twice() -> None:
    own = [Subscription(month=date(2026, 10, 1), plan_id=1, time_zone="Europe/Berlin")]
    october = periods.period(own, date(2026, 10, 1), {})
    assert october
    assert october.end - october.start == timedelta(days=31, hours=1)


@pytest.mark.parametrize(
    "name", ["Europe/Nowhere", "../../etc/passwd", "Europe", "", "Europe/../Europe/Berlin", "UTC\n"]
)
def test_a_zone_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(CannotStart, match="no such time zone"):
        periods.zone(name)


def test_every_zone_of_today_has_months_that_begin_on_a_quarter() -> None:
    for name in _ZONES:
        periods.require_whole_quarters(name, date(2026, 1, 1))
    with pytest.raises(CannotStart, match="quarter"):
        periods.require_whole_quarters("Africa/Monrovia", date(1970, 1, 1))


def test_time_zones_are_those_that_come_with_the_service() -> None:
    assert periods.zone("Europe/Berlin").utcoffset(datetime(2026, 7, 1, tzinfo=UTC).replace(tzinfo=None)) == timedelta(
        hours=2
    )
