"""Dropping days while others read, write and crash: nobody waits, and half-done drops are finished."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest

from ingest.errors import Unavailable
from ingest.store import batches, connections, partitions, retention, rows
from ingest.store.batches import NO_SEQUENCE, Entry
from ingest.store.connections import Connection
from ingest.store.partitions import Kept, partition_name
from schema.decode import decode
from schema.receipt import Receipt
from schema.vocabulary import Mode
from tests.support import cluster, sample
from tests.support.cluster import noon, operator
from tests.support.gauge import VOCABULARIES, window

WRITE_S = 20.0
WAIT_S = 2.0
POLL_S = 0.02
DAYS = cluster.RETENTION_DAYS
TODAY = datetime.now(UTC).date()
OLDEST = TODAY - timedelta(DAYS + 1)
_STATES = f"SELECT name, state FROM ({partitions._TABLES}) AS known WHERE state <> 'attached'"  # noqa: SLF001 (theirs)
_COUNT = "SELECT count(*) FROM events"
_ROW = "INSERT INTO events SELECT $1::date + time '12:00', gen_random_uuid(), " + ", ".join(["0"] * 21)
_KILL = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'nocontent-maintainer' AND wait_event_type = 'Lock'
    AND query LIKE $1
"""
# To `keep` this looks like Citus; PostgreSQL itself goes on as before.
_CITUS = """
INSERT INTO pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)
VALUES (99999, 'citus', 10, 'pg_catalog'::regnamespace, false, '14.0')
"""


async def keep(dsn: str, days_later: int, retention_days: int = DAYS) -> Kept:
    """Run maintenance as the service does, some days from now, after an operator released the days between."""
    at = noon(TODAY + timedelta(days_later))
    await asyncio.to_thread(cluster.let_the_clock_be_set, dsn)
    async with operator(dsn) as connection:
        known = await retention.read(connection)
        assert known is not None
        if known.horizon < retention.due(DAYS, at.now):
            await retention.catch_up(connection, retention.due(DAYS, at.now), at)
    async with connections.connected(dsn, "nocontent_maintainer") as connection:
        return await cluster.keep_at(connection, retention_days, at)


async def states(connection: Connection) -> dict[str, str]:
    """Return the days that are half dropped: tables that are no longer partitions."""
    return {row["name"]: row["state"] for row in await connection.fetch(_STATES)}


@asynccontextmanager
async def reading(dsn: str, query: str = _COUNT) -> AsyncIterator[Connection]:
    """Hold a reading transaction open, as pg_dump or a long report does."""
    async with operator(dsn) as reader, reader.transaction(isolation="repeatable_read"):
        await reader.fetchval(query)
        yield reader


async def write(connection: Connection) -> None:
    """Store a current event as the writer does; raise TimeoutError if it has to wait."""
    decoded = decode(sample.body(), VOCABULARIES[Mode.REFUSE], window())
    digest = rows.digest(decoded)
    entry = Entry(1, digest, NO_SEQUENCE, digest, 1, 0, (0, 0, 0, 0), rows.encode(decoded, 1))
    async with asyncio.timeout(WRITE_S):
        assert await batches.store(connection, [entry]) == [Receipt(1, 0)]


async def kill_in(dsn: str, statement: str, days_later: int) -> None:
    """Run maintenance, and kill its connection while a statement waits for a lock."""
    async with operator(dsn) as killer:
        keeping = asyncio.create_task(keep(dsn, days_later))
        while not await killer.fetch(_KILL, statement):
            if keeping.done():
                keeping = asyncio.create_task(keep(dsn, days_later))  # Its lock timeout ended before we killed it.
            await asyncio.sleep(POLL_S)
        with pytest.raises(Unavailable):
            await keeping
        while not await killer.fetchval("SELECT begin_round()"):  # noqa: ASYNC110 (its client hears of a death early)
            await asyncio.sleep(POLL_S)
        await killer.execute("SELECT finish_round()")


async def test_a_long_reader_stops_no_writer_and_reads_on(database: str) -> None:
    async with operator(database) as other, connections.connected(database, "nocontent_writer") as writer:
        await other.execute(_ROW, OLDEST)
        async with reading(database) as reader:
            keeping = asyncio.create_task(keep(database, 2))
            longest_s = 0.0
            while not keeping.done():
                began = time.monotonic()
                await write(writer)
                longest_s = max(longest_s, time.monotonic() - began)
            assert longest_s < WAIT_S  # 0.15 s by the lock timeout of `drop_day`, and the rest for a busy machine.
            kept = await keeping
            assert (kept.created, kept.dropped, kept.failed, kept.postponed) == (2, 0, 0, 2)
            await write(writer)
            assert await reader.fetchval(_COUNT) == 1
        assert await keep(database, 2) == Kept(0, 2, 0, 0, 7, was_leader=True)
        assert await states(other) == {}
        assert await other.fetchval("SELECT min(occurred_at)::date FROM events") == TODAY


async def test_a_day_that_is_read_is_there_for_everybody_until_it_goes(database: str) -> None:
    async with operator(database) as other:
        await other.execute(_ROW, OLDEST)
        async with reading(database):
            assert (await keep(database, 1)).postponed == 1
            assert await states(other) == {}
            assert await other.fetchval(_COUNT) == 1
        assert (await keep(database, 1)).dropped == 1


async def test_of_many_days_that_are_read_one_is_tried(database: str) -> None:
    """Writers wait during each attempt to drop one."""
    async with operator(database) as other:
        async with reading(database):
            began = time.monotonic()
            assert (await keep(database, 20)).postponed == 20
            assert time.monotonic() - began < WRITE_S
            failures = "SELECT count(*) FROM pg_class WHERE relname = $1"
            assert await other.fetchval(failures, partition_name(OLDEST)) == 1
        assert (await keep(database, 20)).dropped == 20


async def detach_halfway(dsn: str) -> None:
    """Detach the oldest day as an earlier release did, interrupted halfway."""
    async with operator(dsn) as other:
        await other.execute("SET lock_timeout = '100ms'")
        with pytest.raises(asyncpg.LockNotAvailableError):
            await other.execute(f"ALTER TABLE events DETACH PARTITION {partition_name(OLDEST)} CONCURRENTLY")


async def test_a_day_that_was_detached_halfway_is_dropped(database: str) -> None:
    async with operator(database) as other:
        async with reading(database):
            await detach_halfway(database)
            assert await states(other) == {partition_name(OLDEST): "pending"}
        assert (await keep(database, 1)).dropped == 1
        assert await states(other) == {}


async def test_a_reader_of_one_day_keeps_no_other_from_being_dropped(database: str) -> None:
    async with operator(database) as other:
        async with reading(database, f"SELECT count(*) FROM {partition_name(OLDEST)}"):
            kept = await keep(database, 3)
            assert (kept.created, kept.dropped, kept.postponed) == (3, 2, 1)
        assert (await keep(database, 3)).dropped == 1
        assert await states(other) == {}


async def test_a_reader_of_another_database_keeps_no_day_back(database: str, shared_database: str) -> None:
    """Its tables have the same numbers."""
    async with reading(shared_database), reading(database, f"SELECT count(*) FROM {partition_name(OLDEST)}"):
        assert (await keep(database, 3)).dropped == 2


async def test_a_maintainer_killed_between_create_and_attach_leaves_nothing(database: str) -> None:
    async with operator(database) as other:
        async with other.transaction():
            await other.execute("LOCK TABLE events IN SHARE UPDATE EXCLUSIVE MODE")
            await kill_in(database, "%make_day%", 2)
        assert await states(other) == {}
        assert await keep(database, 2) == Kept(2, 2, 0, 0, 7, was_leader=True)


@pytest.mark.parametrize("deaths", [1, 3])
async def test_a_maintainer_killed_while_it_drops_is_taken_over_from(database: str, deaths: int) -> None:
    async with operator(database) as other, connections.connected(database, "nocontent_writer") as writer:
        async with reading(database):
            for _ in range(deaths):
                await kill_in(database, "%drop_day%", 3)
                await write(writer)
            assert await states(other) == {}
        assert await keep(database, 3) == Kept(0, 3, 0, 0, 7, was_leader=True)
        assert await states(other) == {}


async def test_what_was_detached_and_not_dropped_is_dropped(database: str) -> None:
    async with operator(database) as other:
        await other.execute(f"ALTER TABLE events DETACH PARTITION {partition_name(OLDEST)}")
        kept = await keep(database, 1)
        assert (kept.dropped, await states(other)) == (1, {})


@pytest.mark.parametrize("name", ["nocontent.events_archive", "nocontent.events_2020", "public.events_20200101"])
async def test_a_table_of_another_name_or_schema_stays(database: str, name: str) -> None:
    async with operator(database) as other:
        await other.execute(f"CREATE TABLE {name} (LIKE events)")
        assert (await keep(database, 0)).dropped == 0
        assert await other.fetchval(f"SELECT count(*) FROM {name}") == 0


async def test_a_detached_day_that_somebody_uses_is_dropped_later(database: str) -> None:
    async with operator(database) as other:
        await other.execute("CREATE TABLE events_20200101 (LIKE events)")
        await other.execute("ALTER TABLE events_20200101 OWNER TO nocontent_maintainer")
        async with reading(database, "SELECT count(*) FROM events_20200101"):
            assert await keep(database, 0) == Kept(0, 0, 0, 1, 7, was_leader=True)
        assert await keep(database, 0) == Kept(0, 1, 0, 0, 7, was_leader=True)


async def test_a_day_on_its_way_out_comes_back_where_retention_is_lengthened(database: str) -> None:
    async with operator(database) as other:
        await other.execute(_ROW, OLDEST)
        async with reading(database):
            await detach_halfway(database)
        assert await states(other) == {partition_name(OLDEST): "pending"}
        assert (await keep(database, 0)).created == 1
        assert await states(other) == {}
        await other.execute(_ROW, OLDEST)
        assert await other.fetchval(_COUNT) == 2


async def test_a_day_within_retention_that_was_detached_by_hand_comes_back_with_its_rows(database: str) -> None:
    async with operator(database) as other:
        await other.execute(_ROW, TODAY)
        await other.execute(f"ALTER TABLE events DETACH PARTITION {partition_name(TODAY)}")
        assert await keep(database, 0) == Kept(1, 0, 0, 0, 7, was_leader=True)
        assert await other.fetchval(_COUNT) == 1


async def test_a_table_with_rows_of_another_make_is_never_dropped_within_retention(database: str) -> None:
    async with operator(database) as other:
        await other.execute(f"DROP TABLE {partition_name(TODAY)}")
        await other.execute(f"CREATE TABLE {partition_name(TODAY)} AS SELECT 1 AS number")
        await other.execute(f"ALTER TABLE {partition_name(TODAY)} OWNER TO nocontent_maintainer")
        assert await keep(database, 0) == Kept(0, 0, 1, 0, -1, was_leader=True)
        assert await other.fetchval(f"SELECT number FROM {partition_name(TODAY)}") == 1


async def test_on_citus_a_day_is_dropped_at_once_or_not_at_all(database: str) -> None:
    async with operator(database) as other:
        await other.execute("SET allow_system_table_mods = on")
        await other.execute(_CITUS)
        async with reading(database):
            assert (await keep(database, 1)).postponed == 1
            assert await states(other) == {}
        assert (await keep(database, 1)).dropped == 1


async def test_a_batch_of_a_dropped_day_is_not_stored_again(database: str) -> None:
    """The ledger goes with the days, and a day that is gone takes no row: both, or a replay would be a second row."""
    aged = "INSERT INTO batches SELECT $1::date + time '12:00', $2, 0, gen_random_uuid()" + ", 1" * 8
    async with operator(database) as other:
        stream: UUID = uuid4()
        await other.execute(aged, OLDEST, stream)
        await other.execute(aged, OLDEST + timedelta(1), uuid4())
        await keep(database, 1)
        left = await other.fetch("SELECT received_at::date AS day FROM batches")
        assert [row["day"] for row in left] == [OLDEST + timedelta(1)]
        with pytest.raises(Exception, match="no partition"):
            await other.execute(_ROW, OLDEST)
