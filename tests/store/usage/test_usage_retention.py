"""Sums outlive rows, by a retention of their own, and a day waits for its sums before it is dropped."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import asyncpg
import pytest

from ingest.errors import CannotStart
from ingest.store import batches, connections, maintenance, partitions, retention
from ingest.store.connections import Connection
from ingest.store.usage import rollups
from tests.support import sample, sums
from tests.support.cluster import operator
from tests.support.entries import entry

DAYS = 30
_HORIZON = "UPDATE nocontent.retention SET horizon = $1 WHERE retention_id = 1"
_DROP = "SELECT nocontent.drop_day($1)"
_SUM = "SELECT sum(events) FROM nocontent.usage WHERE grain = 1"


async def _stored(dsn: str, age_days: int) -> date:
    """Store an event of some days ago, and return its day."""
    at = datetime.now(UTC) - timedelta(days=age_days)
    async with connections.connected(dsn, "nocontent_writer") as writer:
        await batches.store(writer, [entry({**sample.event(), "event_id": sample.uuid7(int(at.timestamp() * 1000))})])
    return at.date()


async def _roll_up(dsn: str) -> rollups.Rolled:
    async with connections.connected(dsn, "nocontent_biller") as biller:
        return await rollups.roll_up(biller)


async def test_a_day_waits_for_its_sums_for_one_day(database: str) -> None:
    day = await _stored(database, 3)
    async with operator(database) as owner:
        await owner.execute(_HORIZON, day + timedelta(1))
        with pytest.raises(asyncpg.ObjectInUseError):
            await owner.execute(_DROP, partitions.partition_name(day))
        await _roll_up(database)
        await owner.execute(_DROP, partitions.partition_name(day))
        assert await owner.fetchval(_SUM) == 1


async def test_a_day_that_waited_for_a_day_is_dropped_and_what_was_lost_is_counted(database: str) -> None:
    day = await _stored(database, 3)
    async with operator(database) as owner:
        await owner.execute(_HORIZON, day + timedelta(2))
        await owner.execute(_DROP, partitions.partition_name(day))
        rolled = await _roll_up(database)
        assert (rolled.lost_events, rolled.events, rolled.is_done) == (1, 0, True)


async def test_sums_of_a_dropped_day_stay_even_if_it_is_made_again(database: str) -> None:
    day = await _stored(database, 3)
    await _roll_up(database)
    async with operator(database) as owner:
        await owner.execute(_HORIZON, day + timedelta(1))
        await owner.execute(_DROP, partitions.partition_name(day))
        kept = await sums.stored(owner)
        await owner.execute(_HORIZON, day)
        await owner.execute("SELECT nocontent.make_day($1)", day)
        start = datetime(day.year, day.month, day.day, tzinfo=UTC)
        async with connections.connected(database, "nocontent_biller") as biller:
            assert await rollups.recompute(biller, 1, start, start + timedelta(hours=23)) == 0
        assert await sums.stored(owner) == kept
        await _stored(database, 3)
        await _roll_up(database)
        assert await owner.fetchval(_SUM) == 2


async def _rows_after_a_round(dsn: str, usage_days: int | None) -> list[int]:
    """Return the ages of the sums that a round of maintenance keeps, of 25, 35 and 45 days."""
    async with operator(dsn) as owner:
        await owner.execute("DELETE FROM nocontent.usage")
        columns = await _columns(owner)
        for age in (25, 35, 45):
            special = {"tenant_id": "1", "grain": "1", "at": "now() - $1::interval"}
            values = ", ".join(special.get(name) or _zero(name) for name in columns)
            insert = f"INSERT INTO nocontent.usage ({', '.join(columns)}) SELECT {values}"
            await owner.execute(insert, timedelta(days=age))
        await owner.execute("UPDATE nocontent.retention SET usage_days = $1", usage_days)
        await maintenance.keep(dsn, DAYS)
        found = await owner.fetch("SELECT extract(day FROM now() - at)::integer AS age FROM nocontent.usage ORDER BY 1")
        return [row["age"] for row in found]


async def _columns(owner: Connection) -> list[str]:
    asked = "SELECT attname FROM pg_attribute WHERE attrelid = 'nocontent.usage'::regclass AND attnum > 0"
    return [row["attname"] for row in await owner.fetch(asked)]


def _zero(name: str) -> str:
    return "'{}'" if name.endswith(("bins", "counts")) else "0"


async def test_sums_are_kept_for_ever_or_for_their_days_and_never_shorter_than_rows(database: str) -> None:
    assert await _rows_after_a_round(database, None) == [25, 35, 45]
    assert await _rows_after_a_round(database, 40) == [25, 35]
    assert await _rows_after_a_round(database, 20) == [25]


async def test_sums_are_kept_at_least_as_long_as_events(database: str) -> None:
    async with connections.connected(database, "nocontent_control") as control:
        with pytest.raises(CannotStart):
            await retention.set_usage_days(control, DAYS - 1)
        await retention.set_usage_days(control, DAYS)
        assert await retention.usage_days(control) == DAYS
        await retention.set_usage_days(control, None)
        assert await retention.usage_days(control) is None


def test_the_command_shows_and_sets_it(run: Callable[[str], tuple[int, str, str]]) -> None:
    assert "as long as their tenant exists" in run("retention show")[1]
    assert run("retention set-usage 365")[0] == 0
    assert "365 days" in run("retention show")[1]
    with pytest.raises(SystemExit):
        run("retention set-usage 0")
    assert run("retention set-usage forever")[0] == 0
