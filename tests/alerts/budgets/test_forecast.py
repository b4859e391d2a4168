"""The forecast: what the same weekdays cost, for the days and the part of today that are left."""

from datetime import UTC, date, datetime, timedelta

from ingest.alerts.budgets import forecast, periods
from ingest.store.budgets.budgets import PeriodKind

_DAY = timedelta(days=1)
_NOW = datetime(2026, 3, 18, 6, tzinfo=UTC)  # A Wednesday.
_TODAY = _NOW.date()


def _expected(kind: PeriodKind, history: dict[date, int], spent: int = 0, zone: str = "UTC") -> int | None:
    return forecast.expected(spent, periods.containing(_NOW, kind, zone), _NOW, zone, history)


def _history(of_weekday: dict[int, int], days: int = 28) -> dict[date, int]:
    found = {
        _TODAY - count * _DAY: of_weekday.get((_TODAY - count * _DAY).weekday(), 0) for count in range(1, days + 1)
    }
    return {**{_TODAY - count * _DAY: 0 for count in range(1, 29)}, **found}


def test_the_days_left_cost_what_their_weekdays_did() -> None:
    weekdays = {0: 10, 1: 20, 2: 400, 3: 1_000, 4: 3_000}
    # Three quarters of Wednesday, Thursday, Friday, and a weekend that costs nothing.
    assert _expected(PeriodKind.WEEK, _history(weekdays), spent=7) == 7 + 300 + 1_000 + 3_000


def test_a_day_is_the_part_that_is_left() -> None:
    assert _expected(PeriodKind.DAY, _history({2: 400}), spent=50) == 350


def test_a_short_day_has_less_left() -> None:
    zone, now = "Europe/Berlin", datetime(2026, 3, 29, 10, tzinfo=UTC)  # 12:00 of a day of 23 hours, with 12 left.
    today = periods.containing(now, PeriodKind.DAY, zone)
    assert forecast.expected(0, today, now, zone, {date(2026, 3, 22): 2_300}) == 1_200


def test_a_weekday_without_history_is_the_mean_of_all() -> None:
    # Monday and Tuesday alone are known.
    assert _expected(PeriodKind.DAY, _history({0: 100, 1: 300}, days=2)) == 200 * 18 // 24


def test_days_before_the_first_spend_are_unknown_and_free_days_after_it_count() -> None:
    assert _expected(PeriodKind.DAY, {_TODAY - 7 * _DAY: 0, _TODAY - 1 * _DAY: 40}) == 30
    assert _expected(PeriodKind.DAY, {_TODAY - 14 * _DAY: 40, _TODAY - 7 * _DAY: 0}) == 15


def test_without_a_day_of_history_nothing_is_expected() -> None:
    assert _expected(PeriodKind.MONTH, {}) is None
    assert _expected(PeriodKind.MONTH, _history({})) is None


def test_history_is_four_weeks_of_local_days() -> None:
    days = forecast.history_days(datetime(2026, 3, 18, 23, tzinfo=UTC), "Europe/Berlin")
    assert (days[0], days[-1], len(days)) == (date(2026, 2, 19), date(2026, 3, 18), 28)
