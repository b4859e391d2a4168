"""An export sees the rows of one moment, whatever writers, VACUUM and restarts do in between."""

import asyncio
import random
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest import embedded
from ingest.store import batches, connections
from ingest.store.batches import Entry
from ingest.store.connections import Connection
from ingest.store.rights import exporting, moments
from ingest.store.rights.exporting import Slice
from ingest.store.rights.moments import InvalidMoment, Moment
from tests.support import cluster, entries, sample
from tests.support.cluster import operator

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# In many blocks.
_SOME = Slice(1, datetime.now(UTC) - timedelta(days=2), datetime.now(UTC) + timedelta(days=2), rows_max=50)


@pytest.mark.parametrize("text", ["3:3:", "10:20:", "10:20:10,12,19", "7400000000:7400000002:7400000001"])
def test_a_snapshot_is_read_and_written_alike(text: str) -> None:
    assert str(Moment.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "", "10", "10:20", "20:10:", "10:20:9", "10:20:20", "10:20:12,12", "10:20:13,12", "010:20:", " 10:20:",
        "10:20:,", "10:20:12,", "-1:20:", "10:20:12\n", "10:20:" + ",".join(map(str, range(11, 5000))),
        "10:" + "9" * 19 + ":", "10:٢٠:", "10:20:12; SELECT 1",
    ],
)  # fmt: skip
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidMoment):
        Moment.parse(text)


@given(st.data())
def test_rows_of_every_age_are_told_apart_by_32_bits(data: st.DataObject) -> None:
    first = data.draw(st.integers(3, 2**40))
    running = data.draw(st.sets(st.integers(first, first + 50)))
    end = first + data.draw(st.integers(51, 60))
    latest = end + data.draw(st.integers(0, 2**31 - 1))
    xids = data.draw(st.lists(st.integers(max(3, latest - 2**32 + 1), latest), min_size=1, max_size=50))
    xids = [xid for xid in [*xids, *range(first, end)] if xid % 2**32 > 2]  # PostgreSQL skips these three.
    moment = Moment(first, end, tuple(sorted(running)))
    moment.require_known(latest)
    seen = moment.has(np.array([xid % 2**32 for xid in xids], np.uint32), latest)
    assert seen.tolist() == [xid < end and xid not in running for xid in xids]


@pytest.mark.parametrize("latest", [19, 20 + 2**31])
def test_a_moment_that_is_not_of_this_database_or_too_old_is_refused(latest: int) -> None:
    with pytest.raises(InvalidMoment):
        Moment.parse("10:20:").require_known(latest)


async def _exported(connection: Connection, moment: Moment, wanted: Slice = _SOME, after: str = "") -> list[str]:
    words = await exporting.names(connection, wanted.tenant_id)
    found: list[str] = []
    async for block in exporting.events(connection, wanted, moment, words, after or exporting.START):
        ids = [str(each) for each in block.columns[0].plain()]
        assert len(ids) == block.rows
        found += ids
    return found


async def _true(connection: Connection) -> list[str]:
    """Return the ids that the transaction sees, by PostgreSQL's own judgement."""
    query = "SELECT event_id::text AS id FROM nocontent.events WHERE tenant_id = 1 ORDER BY occurred_at, event_id"
    return [row["id"] for row in await connection.fetch(query)]


def _entries(count: int) -> list[Entry]:
    return [entries.entry(*(sample.event() for _ in range(random.randint(1, 5)))) for _ in range(count)]


async def _write(dsn: str, chance: random.Random, stop: asyncio.Event) -> None:
    async with connections.connected(dsn, "nocontent_writer") as connection:
        while not stop.is_set():
            await batches.store(connection, _entries(chance.randint(1, 3)))


_ROW = f"INSERT INTO events SELECT $1, $2, {', '.join(['0'] * 2)}, 1, {', '.join(['0'] * 18)}"


async def _hold(dsn: str) -> Connection:
    """Begin a transaction that has written an event, and leave it open."""
    connection = await connections.connect(dsn, "nocontent_writer")
    await connection.execute("BEGIN")
    now_ms = sample.now_ms()
    await connection.execute(_ROW, _EPOCH + timedelta(milliseconds=now_ms), sample.uuid7(now_ms))
    return connection


async def test_the_rows_are_those_of_the_moment_among_concurrent_writers(database: str) -> None:
    chance, stop = random.Random(7), asyncio.Event()
    writing = [asyncio.create_task(_write(database, chance, stop)) for _ in range(3)]
    taken: list[tuple[Moment, list[str]]] = []
    async with operator(database) as looking, connections.connected(database, "nocontent_exporter") as exporter:
        for turn in range(12):
            late, lost = await _hold(database), await _hold(database)
            async with looking.transaction(isolation="repeatable_read"):
                taken.append((await moments.take(looking), await _true(looking)))
            await late.execute("COMMIT")
            await lost.execute("ROLLBACK")
            await connections.close(late)
            await connections.close(lost)
            if turn == 6:
                await looking.execute("VACUUM (FREEZE) nocontent.events")
        stop.set()
        await asyncio.gather(*writing)
        await looking.execute("VACUUM (FREEZE) nocontent.events")
        ends = [len(ids) for _, ids in taken]
        assert ends == sorted(set(ends)), "each moment has more than the one before"
        for moment, ids in taken:
            assert await _exported(exporter, moment) == ids
        for moment, ids in taken[1:]:
            place = ids[len(ids) // 2]
            assert await _exported(exporter, moment, after=place) == ids[len(ids) // 2 + 1 :]


def test_the_moment_outlives_a_restart_of_the_server() -> None:
    async def begin(dsn: str) -> tuple[Moment, list[str]]:
        await cluster.make_tables(dsn)
        async with connections.connected(dsn, "nocontent_writer") as writer, operator(dsn) as looking:
            await batches.store(writer, _entries(3))
            late = await _hold(dsn)
            async with looking.transaction(isolation="repeatable_read"):
                taken = await moments.take(looking), await _true(looking)
            await late.execute("COMMIT")
            await connections.close(late)
            await batches.store(writer, _entries(3))
        return taken

    async def go_on(dsn: str, moment: Moment) -> list[str]:
        async with connections.connected(dsn, "nocontent_exporter") as exporter:
            return await _exported(exporter, moment)

    with cluster.open_folder() as folder:
        with cluster.start(folder / "pg") as server:
            moment, ids = asyncio.run(begin(server.dsn))
        with embedded.start(folder / "pg", settings=cluster.SETTINGS) as server:
            assert asyncio.run(go_on(server.dsn, moment)) == ids
    assert ids
