"""The periods of budgets in a time zone: days, weeks from Monday on and months, without a gap and without overlap.

A day begins at its first instant, whether daylight saving skips or repeats midnight (as in `usage.billing.periods`).
"""

from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from ingest.store.budgets.budgets import PeriodKind
from ingest.usage.billing import periods

_DAY = timedelta(days=1)
_WEEK = 7


class Period(NamedTuple):
    """A period: its first local day, which names it for ever, and its times in UTC."""

    start: date
    since: datetime
    before: datetime


def containing(at: datetime, kind: PeriodKind, zone: str) -> Period:
    """Return the period that a time is in."""
    local = at.astimezone(periods.zone(zone)).date()
    found = of(_first(local, kind), kind, zone)
    if at < found.since:
        return previous(found, kind, zone)
    return following(found, kind, zone) if at >= found.before else found


def of(start: date, kind: PeriodKind, zone: str) -> Period:
    """Return the period that begins on a day."""
    return Period(start, midnight(start, zone), midnight(_next(start, kind), zone))


def previous(period: Period, kind: PeriodKind, zone: str) -> Period:
    """Return the period before one."""
    return of(_first(period.start - _DAY, kind), kind, zone)


def following(period: Period, kind: PeriodKind, zone: str) -> Period:
    """Return the period after one."""
    return of(_next(period.start, kind), kind, zone)


def midnight(day: date, zone: str) -> datetime:
    """Return the first instant of a day."""
    return datetime(day.year, day.month, day.day, tzinfo=periods.zone(zone)).astimezone(UTC)


def _first(day: date, kind: PeriodKind) -> date:
    if kind is PeriodKind.DAY:
        return day
    return day - day.weekday() * _DAY if kind is PeriodKind.WEEK else day.replace(day=1)


def _next(start: date, kind: PeriodKind) -> date:
    if kind is PeriodKind.DAY:
        return start + _DAY
    return start + _WEEK * _DAY if kind is PeriodKind.WEEK else periods.following(start)
