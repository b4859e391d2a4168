"""Partitions: created ahead, dropped whole, by one maintainer at a time."""

import asyncio
from datetime import UTC, date, datetime, timedelta

import pytest

from ingest.store import connections, maintenance, migrate, partitions, retention
from ingest.store.connections import Connection
from tests.support import cluster
from tests.support.cluster import Cluster, keep_at, noon, operator

TODAY = datetime.now(UTC).date()
DAYS = cluster.RETENTION_DAYS
_NAMES = (
    "SELECT relname FROM pg_class WHERE oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'events'::regclass)"
)


async def days(connection: Connection) -> set[str]:
    return {row["relname"] for row in await connection.fetch(_NAMES)}


def named(first: date, last: date) -> set[str]:
    return {partitions.partition_name(first + timedelta(place)) for place in range((last - first).days + 1)}


@pytest.fixture(autouse=True)
def _settable_clock(database: str) -> None:
    cluster.let_the_clock_be_set(database)


async def test_every_day_of_the_window_and_a_week_ahead_has_a_partition(database: str) -> None:
    async with operator(database) as connection:
        assert await days(connection) == named(TODAY - timedelta(DAYS + 1), TODAY + timedelta(7))


async def test_a_day_later_one_is_made_and_one_dropped(database: str) -> None:
    tomorrow = TODAY + timedelta(1)
    async with operator(database) as connection:
        kept = await keep_at(connection, DAYS, noon(tomorrow))
        assert (kept.created, kept.dropped, kept.ahead_days, kept.was_leader) == (1, 1, 7, True)
        assert await days(connection) == named(tomorrow - timedelta(DAYS + 1), tomorrow + timedelta(7))


async def test_keeping_twice_does_nothing_more(database: str) -> None:
    async with operator(database) as connection:
        assert await keep_at(connection, DAYS, noon(TODAY)) == partitions.Kept(0, 0, 0, 0, 7, was_leader=True)


async def test_after_a_long_sleep_the_gap_is_filled_and_the_backlog_waits_for_an_operator(database: str) -> None:
    later = TODAY + timedelta(100)
    async with operator(database) as connection:
        assert await partitions.ahead_days(connection, later) == -1
        kept = await keep_at(connection, DAYS, noon(later))
        assert (kept.dropped, kept.ahead_days, kept.behind_days) == (1, 7, 99)
        assert await days(connection) == named(TODAY - timedelta(DAYS), later + timedelta(7))
        await retention.catch_up(connection, retention.due(DAYS, noon(later).now), noon(later))
        kept = await keep_at(connection, DAYS, noon(later))
        assert (kept.dropped, kept.ahead_days, kept.behind_days) == (99, 7, 0)
        assert await days(connection) == named(later - timedelta(DAYS + 1), later + timedelta(7))


async def test_a_shorter_retention_drops_and_a_longer_one_makes(database: str) -> None:
    async with operator(database) as connection:
        await retention.set_days(connection, 3)
        assert (await keep_at(connection, DAYS, noon(TODAY))).dropped == DAYS - 3
        await retention.set_days(connection, DAYS)
        assert (await keep_at(connection, DAYS, noon(TODAY))).created == DAYS - 3


async def test_the_rows_of_a_dropped_day_are_gone_and_no_others(database: str) -> None:
    columns = "SELECT {}::date + time '12:00', gen_random_uuid(), " + ", ".join(["0"] * 21)
    async with operator(database) as connection:
        for day in (TODAY - timedelta(DAYS), TODAY):
            await connection.execute("INSERT INTO events " + columns.format(f"'{day}'"))
        for later in (1, 2):
            await keep_at(connection, DAYS, noon(TODAY + timedelta(later)))
        left = await connection.fetch("SELECT occurred_at::date AS day FROM events")
    assert [row["day"] for row in left] == [TODAY]


async def test_the_ledger_forgets_what_retention_has_dropped(database: str) -> None:
    entry = "INSERT INTO batches SELECT now() - make_interval(days => $1), gen_random_uuid(), $1, gen_random_uuid()"
    async with operator(database) as connection:
        for age in (1, DAYS - 1, DAYS + 2, DAYS + 40):
            await connection.execute(entry + ", 1" * 8, age)
        await keep_at(connection, DAYS, noon(TODAY))
        left = await connection.fetch("SELECT sequence FROM batches ORDER BY sequence")
    assert [row["sequence"] for row in left] == [1, DAYS - 1]


async def test_only_one_maintains_at_a_time(database: str) -> None:
    async with operator(database) as leader, operator(database) as other:
        assert await leader.fetchval("SELECT begin_round()")
        kept = await keep_at(other, DAYS, noon(TODAY + timedelta(5)))
        assert kept == partitions.Kept(0, 0, 0, 0, 2, was_leader=False)
        await leader.execute("SELECT finish_round()")
        assert (await keep_at(other, DAYS, noon(TODAY))).was_leader


async def test_a_leader_that_died_or_takes_an_hour_leads_no_more(database: str) -> None:
    async with operator(database) as other:
        async with operator(database) as leader:
            assert await leader.fetchval("SELECT begin_round()")
            assert not await other.fetchval("SELECT begin_round()")
            await other.execute("UPDATE maintenance SET led_at = now() - interval '61 minutes'")
            assert await other.fetchval("SELECT begin_round()")
            assert not await leader.fetchval("SELECT begin_round()")
            await other.execute("SELECT finish_round()")
            assert await leader.fetchval("SELECT begin_round()")
        while not await other.fetchval("SELECT begin_round()"):  # noqa: ASYNC110 (its client hears of a death early)
            await asyncio.sleep(0.02)


async def test_a_round_that_ended_is_told_whoever_led_it(database: str) -> None:
    async with operator(database) as connection:
        await connection.execute("UPDATE maintenance SET finished_at = now() - interval '1 day'")
        assert await partitions.seconds_since_round(connection) > 86_000
        await keep_at(connection, DAYS, noon(TODAY))
        async with connections.connected(database, "nocontent_writer") as writer:
            assert await partitions.seconds_since_round(writer) < 60


async def test_four_who_maintain_a_fresh_database_at_once_take_turns(postgres: Cluster) -> None:
    dsn = await asyncio.to_thread(postgres.empty)
    async with operator(dsn) as connection:
        await migrate.migrate(connection)
    kept = await asyncio.gather(*(maintenance.keep(dsn, DAYS) for _ in range(4)))
    assert sorted(each.created for each in kept) == [0, 0, 0, DAYS + 1 + 1 + 7]
    assert sum(each.failed for each in kept) == 0


async def test_a_day_that_cannot_be_created_keeps_no_other_from_it(database: str) -> None:
    taken = TODAY + timedelta(8)
    async with operator(database) as connection:
        await connection.execute(f"CREATE VIEW {partitions.partition_name(taken)} AS SELECT 1")
        kept = await keep_at(connection, DAYS, noon(TODAY + timedelta(3)))
        assert (kept.created, kept.failed, kept.dropped, kept.ahead_days) == (2, 1, 1, 4)
        await connection.execute(f"DROP VIEW {partitions.partition_name(taken)}")
        kept = await keep_at(connection, DAYS, noon(TODAY + timedelta(3)))
        assert (kept.created, kept.failed, kept.ahead_days) == (1, 0, 7)


async def test_the_empty_table_of_a_crash_is_made_anew(database: str) -> None:
    day = TODAY + timedelta(8)
    async with operator(database) as connection:
        await connection.execute(f"CREATE TABLE {partitions.partition_name(day)} (n integer)")
        await connection.execute(f"ALTER TABLE {partitions.partition_name(day)} OWNER TO nocontent_owner")
        assert (await keep_at(connection, DAYS, noon(TODAY + timedelta(1)))).created == 1


async def test_a_day_without_a_partition_takes_no_row(database: str) -> None:
    async with operator(database) as connection:
        with pytest.raises(Exception, match="no partition"):
            await connection.execute(
                "INSERT INTO events SELECT now() + interval '9 days', gen_random_uuid(), " + ", ".join(["0"] * 21)
            )
