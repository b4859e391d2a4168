"""The job of weekly reviews: on Monday at 07:00 in a tenant's zone, once for each week and person.

A letter has the days and times of the week; figures are read when it is sent. A week without requests and refusals has
none. A job that was down until the day after puts none: a review is of use on Monday.
"""

from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from ingest.errors import CannotStart
from ingest.jobs.job import Round
from ingest.knowledge import day_numbers
from ingest.store import connections
from ingest.store.connections import Connection
from ingest.store.mail import outbox, reviews
from ingest.store.mail.kinds import KINDS
from ingest.store.mail.outbox import Notice
from ingest.usage.billing import periods

AT = time(7)
LATE = timedelta(days=1)
TENANTS_A_STEP = 500
REST = timedelta(minutes=15)  # Every zone is off UTC by whole quarters of an hour.
_WEEK = timedelta(days=7)


class Week(NamedTuple):
    """A week that has ended: its Monday, where the week before begins, where it begins, and where it ends."""

    first: date
    before: datetime
    start: datetime
    end: datetime

    @property
    def cause(self) -> UUID:
        return outbox.cause_of("weekly-review", self.first)

    def notice(self) -> Notice:
        """Return its letter: the Monday in days since 1970, and the three times in seconds."""
        times = (int(each.timestamp()) for each in (self.before, self.start, self.end))
        return Notice("weekly-review", (), (day_numbers.number(self.first), *times), self.cause)


def due(zone: ZoneInfo, now: datetime) -> Week | None:
    """Return the week whose review is due at a time, if one is."""
    today = now.astimezone(zone).date()
    monday = today - timedelta(days=today.weekday())
    due_at = datetime.combine(monday, AT, zone).astimezone(UTC)
    if not due_at <= now < due_at + LATE:
        return None
    mondays = (monday - 2 * _WEEK, monday - _WEEK, monday)
    before, start, end = (datetime.combine(each, time(), zone).astimezone(UTC) for each in mondays)
    return Week(monday - _WEEK, before, start, end)


async def review(connection: Connection) -> Round:
    """Put the reviews that are due, of all tenants."""
    now = await connections.now(connection)
    await review_at(connection, now)
    rest = REST - (now - datetime.min.replace(tzinfo=UTC)) % REST
    return Round({}, is_complete=True, rest_s=rest.total_seconds())


async def review_at(connection: Connection, now: datetime) -> int:
    """Put the reviews that are due at a time; return how many letters are new."""
    put, after = 0, 0
    while found := await reviews.readers(connection, now, after, TENANTS_A_STEP):
        after = found[-1].tenant_id
        weeks = {each.tenant_id: week for each in found if (week := due(_zone(each.time_zone), now))}
        lacking = await reviews.lacking(connection, {tenant_id: week.cause for tenant_id, week in weeks.items()})
        for tenant_id in sorted(lacking):
            week = weeks[tenant_id]
            if await reviews.is_active(connection, tenant_id, week.first, week.start, week.end):
                roles = KINDS["weekly-review"].roles
                put += await outbox.put_to_roles(connection, tenant_id, roles, week.notice())
    return put


def _zone(name: str) -> ZoneInfo:
    try:
        return periods.zone(name)
    except CannotStart:  # Of an older database of time zones.
        return periods.zone("UTC")
