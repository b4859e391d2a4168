"""The months of a tenant as periods of time, which neither overlap nor leave a gap.

A month begins at local midnight of its first day: the first instant of that day, whether midnight is skipped or
repeated by daylight saving. If a tenant moves to another time zone from a month on, that month begins where the one
before it ends, in the old zone.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache
from importlib import resources
from zoneinfo import ZoneInfo

from ingest.errors import CannotStart
from ingest.knowledge.billing import Period, Subscription

GRACE = timedelta(hours=72)  # From the end of a period to its invoice, for late events.
QUARTER = timedelta(minutes=15)  # The grain of the sums that billing reads.
FIRST_MONTH, LAST_MONTH = date(2020, 1, 1), date(2199, 12, 1)


@cache
def zone(name: str) -> ZoneInfo:
    """Return a time zone of the IANA database that comes with the service; raises CannotStart.

    Not the machine's database: two machines with different ones would begin a month at different times.
    """
    folder = resources.files("tzdata") / "zoneinfo"
    for part in name.split("/"):
        if not part.replace("_", "").replace("-", "").replace("+", "").isalnum():
            raise CannotStart("There is no such time zone: use a name such as Europe/Berlin.")
        folder /= part
    try:
        with folder.open("rb") as file:
            return ZoneInfo.from_file(file, key=name)
    except (OSError, ValueError):
        raise CannotStart("There is no such time zone: use a name such as Europe/Berlin.") from None


def midnight(month: date, name: str) -> datetime:
    """Return the first instant of a month in a time zone.

    `fold=0` is the first of two midnights, and for a skipped one the offset from before, so the instant of the change.
    """
    return datetime(month.year, month.month, 1, tzinfo=zone(name)).astimezone(UTC)


def following(month: date, count: int = 1) -> date:
    """Return the month that is so many months later, or earlier."""
    years, index = divmod(month.month - 1 + count, 12)
    return date(month.year + years, index + 1, 1)


def in_force(subscriptions: Sequence[Subscription], month: date) -> Subscription | None:
    """Return the subscription of a month, or None before the first."""
    return next((each for each in reversed(subscriptions) if each.month <= month), None)


def period(subscriptions: Sequence[Subscription], month: date, invoiced: Mapping[date, Period]) -> Period | None:
    """Return a month's period, or None before the first subscription.

    It begins where an invoice ended the month before: a newer database of time zones changes no past.
    """
    own = in_force(subscriptions, month)
    if own is None:
        return None
    previous = in_force(subscriptions, following(month, -1)) or own
    before = invoiced.get(following(month, -1))
    start = before.end if before else midnight(month, previous.time_zone)
    return Period(month=month, start=start, end=midnight(following(month), own.time_zone), time_zone=own.time_zone)


def current(subscriptions: Sequence[Subscription], now: datetime, invoiced: Mapping[date, Period]) -> Period:
    """Return the period in progress; before the first subscription begins, its first period."""
    month = max(following(now.date().replace(day=1), -1), subscriptions[0].month)
    while True:
        found = period(subscriptions, month, invoiced)
        assert found is not None
        if now < found.end:
            return found
        month = following(month)


def require_whole_quarters(name: str, month: date) -> None:
    """Raise CannotStart unless the months of a year begin on a quarter of an hour of UTC."""
    for count in range(13):
        if midnight(following(month, count), name).timestamp() % QUARTER.total_seconds():
            raise CannotStart("Months of this time zone do not begin on a quarter of an hour.")
