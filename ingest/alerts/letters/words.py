"""Writes values into letters: text on one line, without characters that hide or turn what stands around them; times."""

import re
from datetime import date, datetime
from typing import TypeVar, cast
from zoneinfo import ZoneInfo

from ingest.knowledge.letters import Facts

_Value = TypeVar("_Value")
# Mail programs make a link of whatever looks like a host's name, also of one in a person's name; the dots of UTS 46.
_HOST = re.compile(r"(?<=\w)[.\u3002\uff0e\uff61](?=\w)")


def plain(facts: Facts) -> Facts:
    """Return the facts with every string plain."""
    to = facts.to._replace(name=_HOST.sub(". ", facts.to.name))
    return Facts(_plain(to), _plain(facts.about))


def _plain(value: _Value) -> _Value:
    """Return a value with printable characters alone in its strings: no line end, no control, none that turns text.

    Nor an encoded word (RFC 2047), which Python's `email` decodes in a header's value: one may hold a line end.
    """
    if isinstance(value, str):
        printable = "".join(each if each.isprintable() else " " for each in value)
        return cast("_Value", printable.replace("=?", "= ?"))
    if isinstance(value, tuple):
        made = (_plain(each) for each in value)
        return cast("_Value", type(value)(*made) if hasattr(value, "_fields") else tuple(made))
    return value


def when(at: datetime, zone: ZoneInfo) -> str:
    """Write a time in the zone of the reader."""
    return f"{day(at.astimezone(zone).date())}, {at.astimezone(zone):%H:%M %Z}"


def day(at: date) -> str:
    """Write a day, such as 9 November 2026."""
    return f"{at.day} {at:%B %Y}"


def month(at: date) -> str:
    """Write a month, such as November 2026."""
    return f"{at:%B %Y}"


def days(first: date, last: date) -> str:
    """Write days in a row, such as 30 November to 6 December 2026."""
    start = f"{first.day}" if (first.year, first.month) == (last.year, last.month) else f"{first.day} {first:%B}"
    return f"{start if first.year == last.year else day(first)} to {day(last)}"
