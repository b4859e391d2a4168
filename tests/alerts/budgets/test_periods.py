"""Periods in time zones: no gap, no overlap, and the length that daylight saving makes them."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.alerts.budgets import periods
from ingest.store.budgets.budgets import PeriodKind

_ZONES = (
    "UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Asia/Kathmandu", "Pacific/Apia", "Pacific/Chatham",
    "America/Havana", "Asia/Beirut", "America/Santiago", "Australia/Lord_Howe", "Africa/Cairo",
)  # fmt: skip
_TIMES = st.integers(1_578_000_000, 2_145_000_000).map(lambda at: datetime.fromtimestamp(at, UTC))  # 2020 to 2037.
_KINDS = st.sampled_from(PeriodKind)


@given(_TIMES, _KINDS, st.sampled_from(_ZONES))
def test_every_time_is_in_one_period_and_they_follow_each_other(at: datetime, kind: PeriodKind, zone: str) -> None:
    found = periods.containing(at, kind, zone)
    assert found.since <= at < found.before
    later, earlier = periods.following(found, kind, zone), periods.previous(found, kind, zone)
    assert (earlier.before, found.before) == (found.since, later.since)
    for edge in (found.since, found.before - timedelta(microseconds=1)):
        assert periods.containing(edge, kind, zone) == found
    assert {PeriodKind.WEEK: found.start.weekday() == 0, PeriodKind.MONTH: found.start.day == 1}.get(kind, True)
    local = at.astimezone(ZoneInfo(zone)).date()
    assert found.start <= local < later.start


@pytest.mark.parametrize(
    ("kind", "zone", "at", "start", "hours"),
    [
        (PeriodKind.DAY, "Europe/Berlin", "2026-03-29T10:00", "2026-03-29", 23),
        (PeriodKind.DAY, "Europe/Berlin", "2026-10-25T00:30", "2026-10-25", 25),
        (PeriodKind.DAY, "Europe/Berlin", "2026-10-24T21:59", "2026-10-24", 24),
        (PeriodKind.DAY, "Africa/Cairo", "2026-04-24T10:00", "2026-04-24", 23),  # Which has no midnight.
        (PeriodKind.WEEK, "America/New_York", "2026-11-01T12:00", "2026-10-26", 169),
        (PeriodKind.WEEK, "UTC", "2026-01-01T00:00", "2025-12-29", 168),
        (PeriodKind.MONTH, "Europe/Berlin", "2026-03-31T21:59", "2026-03-01", 743),
        (PeriodKind.MONTH, "Asia/Kolkata", "2026-02-28T18:30", "2026-03-01", 744),
        (PeriodKind.MONTH, "UTC", "2028-02-29T12:00", "2028-02-01", 696),
    ],
)
def test_a_period_is_as_long_as_its_days(kind: PeriodKind, zone: str, at: str, start: str, hours: int) -> None:
    found = periods.containing(datetime.fromisoformat(f"{at}:00Z"), kind, zone)
    assert found.start == date.fromisoformat(start)
    assert found.before - found.since == timedelta(hours=hours)
