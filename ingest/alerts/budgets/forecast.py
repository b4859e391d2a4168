"""Expects what a period will come to: its spend so far, and for the days to come the mean of the same weekdays. Pure.

History is what each of the last four weeks' days cost, from the first that cost anything. A weekday without history
counts as the mean of all days; without a whole day of history nothing is expected.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

from ingest.alerts.budgets import periods
from ingest.alerts.budgets.periods import Period
from ingest.store.budgets.budgets import PeriodKind

HISTORY_DAYS = 28
_DAY = timedelta(days=1)
_MICROSECOND = timedelta(microseconds=1)


def history_days(now: datetime, zone: str) -> list[date]:
    """Return the days that are history."""
    today = periods.containing(now, PeriodKind.DAY, zone).start
    return [today - count * _DAY for count in range(HISTORY_DAYS, 0, -1)]


def expected(spent: int, period: Period, now: datetime, zone: str, history: Mapping[date, int]) -> int | None:
    """Return the spend to expect at the end of a period, or None if nothing is known."""
    known = _since_first(history)
    if not known:
        return None
    today = periods.containing(now, PeriodKind.DAY, zone)
    left, whole = (today.before - now) // _MICROSECOND, (today.before - today.since) // _MICROSECOND
    total = spent + _mean(known, today.start) * left // whole
    day = periods.following(today, PeriodKind.DAY, zone)
    while day.since < period.before:
        total += _mean(known, day.start)
        day = periods.following(day, PeriodKind.DAY, zone)
    return total


def _since_first(history: Mapping[date, int]) -> dict[date, int]:
    first = min((day for day, spent in history.items() if spent), default=None)
    return {} if first is None else {day: spent for day, spent in history.items() if day >= first}


def _mean(history: Mapping[date, int], day: date) -> int:
    same: Sequence[int] = [spent for each, spent in history.items() if each.weekday() == day.weekday()]
    chosen = same or [*history.values()]
    return sum(chosen) // len(chosen)
