"""Days as the numbers of letters and deliveries have them: counted from 1970-01-01."""

from datetime import date, timedelta

_FIRST = date(1970, 1, 1)


def number(day: date) -> int:
    """Return the number of a day."""
    return (day - _FIRST).days


def day(number: int) -> date:
    """Return the day that a number stands for."""
    return _FIRST + timedelta(days=number)
