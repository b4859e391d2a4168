"""Weekly reviews: due on Monday at seven where the tenant is, whatever the clock does, for a week with traffic."""

import itertools
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from ingest.alerts import lanes, weekly
from ingest.store import connections
from ingest.store.connections import Connection
from tests.support import metering, staff
from tests.support.cluster import Cluster, operator
from tests.support.staff import Staff

_SEVEN = datetime(2026, 11, 23, 7, tzinfo=UTC)
_MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("zone", "at", "first", "hours"),
    [
        ("UTC", "2026-11-23T07:00+00:00", "2026-11-16", 168),
        ("Europe/Berlin", "2026-11-23T06:00+00:00", "2026-11-16", 168),
        ("America/Los_Angeles", "2026-11-23T15:00+00:00", "2026-11-16", 168),
        ("Asia/Kathmandu", "2026-11-23T01:15+00:00", "2026-11-16", 168),
        ("Pacific/Kiritimati", "2026-11-22T17:00+00:00", "2026-11-16", 168),
        ("Europe/Berlin", "2026-03-30T05:00+00:00", "2026-03-23", 167),  # In summer from Sunday on.
        ("Europe/Berlin", "2026-10-26T06:00+00:00", "2026-10-19", 169),
    ],
)
def test_a_review_is_due_for_a_day_from_monday_at_seven(zone: str, at: str, first: str, hours: int) -> None:
    own, due_at = ZoneInfo(zone), datetime.fromisoformat(at)
    assert weekly.due(own, due_at - _MINUTE) is None
    week = weekly.due(own, due_at)
    assert week is not None
    assert week.first == date.fromisoformat(first)
    assert week.end - week.start == timedelta(hours=hours)
    assert week.start.astimezone(own).isoformat()[:19] == f"{first}T00:00:00"
    assert weekly.due(own, due_at + timedelta(days=1) - _MINUTE) == week
    assert weekly.due(own, due_at + timedelta(days=1)) is None


def test_each_minute_of_a_year_is_of_one_review_at_most() -> None:
    zone = ZoneInfo("America/New_York")
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    found = [weekly.due(zone, begin + timedelta(minutes=15 * turn)) for turn in range(4 * 24 * 365)]
    weeks = list(dict.fromkeys(week for week in found if week))
    assert len(weeks) == 52
    assert all(later.start == earlier.end for earlier, later in itertools.pairwise(weeks))
    assert all(later.before == earlier.start for earlier, later in itertools.pairwise(weeks))


@pytest.fixture(scope="module")
def weekly_database(postgres: Cluster) -> Iterator[str]:
    dsn = postgres.migrated()
    yield dsn
    postgres.drop(dsn)


@pytest.fixture
async def owner(weekly_database: str) -> AsyncIterator[Connection]:
    """Yield a superuser's connection to an outbox, usage and refusals without rows."""
    async with operator(weekly_database) as connection:
        await connection.execute("TRUNCATE outbox, usage, refusals, subscriptions")
        yield connection


@pytest.fixture
async def own(weekly_database: str, owner: Connection) -> Staff:
    await owner.execute("TRUNCATE people, sessions; UPDATE tenants SET disabled = true")
    number = int(await owner.fetchval("SELECT count(*) FROM tenants"))
    return await staff.hire(weekly_database, f"acme-{number}")


async def _use(owner: Connection, own: Staff, days: int) -> None:
    """Write sums of some days before."""
    await metering.put(owner, own.tenant_id, _SEVEN - timedelta(days=days), 5, (0, 0))


async def _put(dsn: str, now: datetime) -> int:
    async with connections.connected(dsn, lanes.ROLE) as mailer:
        return await weekly.review_at(mailer, now)


async def test_a_clock_that_jumps_puts_the_review_of_the_present_week_alone(owner: Connection, own: Staff) -> None:
    for days in range(40):
        await _use(owner, own, days)
    put = [await _put(own.dsn, _SEVEN + timedelta(days=days)) for days in (0, 0, 28, -7, 28, 0)]
    assert put == [3, 0, 0, 3, 0, 0]  # Four weeks later there is no traffic; the week before has a review of its own.
    firsts = await owner.fetch("SELECT DISTINCT numbers[1] FROM outbox ORDER BY 1")
    assert [row[0] for row in firsts] == [(date(2026, 11, day) - date(1970, 1, 1)).days for day in (9, 16)]


async def test_a_review_names_the_week_that_has_ended_and_the_one_before(owner: Connection, own: Staff) -> None:
    await _use(owner, own, 1)
    assert await _put(own.dsn, _SEVEN) == 3
    (row,) = {tuple(row["numbers"]) for row in await owner.fetch("SELECT numbers FROM outbox")}
    times = [datetime(2026, 11, day, tzinfo=UTC).timestamp() for day in (9, 16, 23)]
    assert row == ((date(2026, 11, 16) - date(1970, 1, 1)).days, *times)


async def test_a_week_with_nothing_to_say_has_no_review(owner: Connection, own: Staff) -> None:
    assert await _put(own.dsn, _SEVEN) == 0
    refused = "INSERT INTO refusals VALUES ($2, $2, 7, 0, $1, $3, 2, 14, 'time.too-old')"
    at = _SEVEN - timedelta(days=3)
    await owner.execute(refused, own.tenant_id, at, at.date())
    assert await _put(own.dsn, _SEVEN) == 3


async def test_the_zone_is_that_of_the_plan_and_a_disabled_tenant_has_none(owner: Connection, own: Staff) -> None:
    await owner.execute(
        "INSERT INTO subscriptions (tenant_id, month, time_zone) VALUES ($1, '2026-10-01', 'Asia/Tokyo'),"
        " ($1, '2026-12-01', 'America/New_York')",
        own.tenant_id,
    )
    await _use(owner, own, 3)
    tokyo = _SEVEN - timedelta(hours=9)
    assert await _put(own.dsn, tokyo - _MINUTE) == 0
    await owner.execute("UPDATE tenants SET disabled = true WHERE tenant_id = $1", own.tenant_id)
    assert await _put(own.dsn, tokyo) == 0
    await owner.execute("UPDATE tenants SET disabled = false WHERE tenant_id = $1", own.tenant_id)
    assert await _put(own.dsn, tokyo) == 3


async def test_the_next_round_is_at_the_next_quarter_of_an_hour(weekly_database: str) -> None:
    async with connections.connected(weekly_database, lanes.ROLE) as mailer:
        done = await weekly.review(mailer)
    assert done.is_complete
    assert 0 < done.rest_s <= 900
