"""Periods of time that a viewer chooses, in its zone as far as the sums have hours, and the period before each.

Sums have no time finer than an hour, so an hour belongs to the day in which it begins. Long periods are read from the
sums of days, which are days of UTC, whatever the zone.
"""

from bisect import bisect_right
from calendar import monthrange
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

Unit = Literal["hour", "day", "month"]
RANGES: Mapping[str, str] = {
    "24h": "24 hours", "7d": "7 days", "14d": "14 days", "30d": "30 days", "90d": "90 days", "12m": "12 months",
    "month": "This month", "last-month": "Last month",
}  # fmt: skip
LOCAL_DAYS_MAX = 14  # Longer periods are of whole days of UTC, whose sums are a 24th of the rows.
HOURS_MAX = 2  # Days up to which a chart has a point for each hour.
DAYS_MAX = 92  # Days up to which it has one for each day; then for each month.
SPAN_DAYS_MAX = 3_653
EARLIEST, LATEST = date(2000, 1, 2), date(2099, 12, 30)
UTC_ZONE = ZoneInfo("UTC")
BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_MONTHS_IN_YEAR = 12
_DAYS: Mapping[str, int] = {"7d": 7, "14d": 14, "30d": 30, "90d": 90}


class InvalidRange(Exception):
    """The dates are no dates, reversed, or too far apart."""


class Period(NamedTuple):
    """Whole hours from `since` to `before`, and the unit of time that a chart divides them into."""

    since: datetime
    before: datetime
    unit: Unit
    zone: ZoneInfo  # That of its days: the viewer's, or UTC.

    @property
    def days(self) -> tuple[date, date]:
        """Return the first and the last day."""
        return _date(self.since, self.zone), _date(self.before - _HOUR, self.zone)

    def starts(self) -> list[datetime]:
        """Return the start of each unit, ascending; that of the first may be before `since`."""
        if self.unit == "hour":
            hours = int((self.before - self.since) / _HOUR)
            return [self.since + place * _HOUR for place in range(hours)]
        first, last = self.days
        if self.unit == "day":
            return [_midnight(first + place * _DAY, self.zone) for place in range((last - first).days + 1)]
        months = _MONTHS_IN_YEAR * (last.year - first.year) + last.month - first.month
        return [_midnight(_month(first, place), self.zone) for place in range(months + 1)]

    def place(self, starts: list[datetime], at: datetime) -> int:
        """Return the unit that a time is in."""
        return max(0, bisect_right(starts, at) - 1)


class Choice(NamedTuple):
    """A range as chosen, its period and the one before."""

    name: str  # Of RANGES, or "dates".
    title: str
    period: Period
    earlier: Period
    is_running: bool  # The last hour or day has not ended.


class _Days(NamedTuple):
    """Days from the first to the last, and those to compare with."""

    first: date
    last: date
    earlier_first: date
    earlier_last: date

    @property
    def number(self) -> int:
        return (self.last - self.first).days + 1


def of_name(name: str, now: datetime, zone: ZoneInfo, local_days_max: int = LOCAL_DAYS_MAX) -> Choice:
    """Return the range of a name; raises InvalidRange."""
    if name not in RANGES:
        raise InvalidRange
    if name == "24h":
        before = _ceil(now)
        since = before - _DAY
        period = Period(since, before, "hour", zone)
        return Choice(name, RANGES[name], period, period._replace(since=since - _DAY, before=since), is_running=True)
    days = _named(name, _date(now, zone))
    if days.number > local_days_max:
        zone = UTC_ZONE
        days = _named(name, _date(now, zone))
    return _choice(name, RANGES[name], days, now, zone)


def of_dates(since: str, until: str, now: datetime, zone: ZoneInfo, local_days_max: int = LOCAL_DAYS_MAX) -> Choice:
    """Return the range from a date to another, both included; raises InvalidRange."""
    first, last = _parsed(since), _parsed(until)
    count = (last - first).days + 1
    if not 0 < count <= SPAN_DAYS_MAX:
        raise InvalidRange
    days = _Days(first, last, first - count * _DAY, first - _DAY)
    zone = UTC_ZONE if count > local_days_max else zone
    return _choice("dates", f"{first} – {last}", days, now, zone)


def _named(name: str, today: date) -> _Days:
    if name in _DAYS:
        count = _DAYS[name]
        first = today - (count - 1) * _DAY
        return _Days(first, today, first - count * _DAY, first - _DAY)
    this = today.replace(day=1)
    if name == "12m":
        first = _month(this, 1 - _MONTHS_IN_YEAR)
        return _Days(first, today, _month(first, -_MONTHS_IN_YEAR), _in_month(_month(this, -12), today.day))
    if name == "month":
        return _Days(this, today, _month(this, -1), _in_month(_month(this, -1), today.day))
    first = _month(this, -1)
    return _Days(first, this - _DAY, _month(first, -1), first - _DAY)


def _choice(name: str, title: str, days: _Days, now: datetime, zone: ZoneInfo) -> Choice:
    unit: Unit = "hour" if days.number <= HOURS_MAX else "day" if days.number <= DAYS_MAX else "month"
    ends, earlier_ends = _midnight(days.last + _DAY, zone), _midnight(days.earlier_last + _DAY, zone)
    is_running = now < ends
    if is_running and zone is not UTC_ZONE:
        lacking = max(0, (_midnight(days.last + _DAY, zone) - max(now, _midnight(days.first, zone))) // _HOUR)
        ends, earlier_ends = ends - lacking * _HOUR, earlier_ends - lacking * _HOUR
    period = _period(days.first, ends, unit, zone)
    return Choice(name, title, period, _period(days.earlier_first, earlier_ends, unit, zone), is_running)


def _period(first: date, ends: datetime, unit: Unit, zone: ZoneInfo) -> Period:
    since = _ceil(_midnight(first, zone))
    return Period(since, max(_ceil(ends), since + _HOUR), unit, zone)


def _parsed(text: str) -> date:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise InvalidRange from None
    if not EARLIEST <= found <= LATEST:
        raise InvalidRange
    return found


def _month(day: date, months: int) -> date:
    """Return the first day of a month, some months later."""
    number = _MONTHS_IN_YEAR * day.year + day.month - 1 + months
    return date(number // _MONTHS_IN_YEAR, number % _MONTHS_IN_YEAR + 1, 1)


def _in_month(month: date, day: int) -> date:
    return month.replace(day=min(day, monthrange(month.year, month.month)[1]))


def _date(at: datetime, zone: tzinfo) -> date:
    return at.astimezone(zone).date()


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _ceil(at: datetime) -> datetime:
    """Return the end of the hour that a time is in, or the time itself if it begins one."""
    whole = at.replace(minute=0, second=0, microsecond=0)
    return whole if whole == at else whole + _HOUR
