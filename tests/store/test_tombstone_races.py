"""No event that an erasure names is stored once its barrier is passed: transactions that race, stop and die."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import pytest

from ingest.store import batches, connections
from ingest.store.batches import Entry
from ingest.store.connections import Connection
from schema.receipt import Receipt
from tests.support import cluster, sample
from tests.support.cluster import Cluster, operator
from tests.support.entries import WAIT_S, acknowledged, entry, writing
from tests.support.tombstones import barring, erase, record

TENANTS = (1, 2, 3)
SEARCH = 101  # The id of a tag's value, as `entry` encodes it.
SCOPES: dict[str, dict[str, object]] = {"range": {}, "tag": {"term_id": SEARCH}, "events": {}}
NEWEST = "SELECT max(revision) FROM erasures"
RACES_S = 3.0


@pytest.fixture
async def other(database: str) -> AsyncIterator[Connection]:
    async with operator(database) as connection:
        yield connection


async def blocked(connection: Connection) -> None:
    """Wait until a backend of this database waits for a lock."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    async with asyncio.timeout(WAIT_S):
        while not await connection.fetchval(query):  # noqa: ASYNC110 - PostgreSQL does not notify.
            await asyncio.sleep(0.005)


def old() -> dict[str, object]:
    return sample.event(event_id=sample.uuid7(sample.now_ms() - 60_000))


@asynccontextmanager
async def suspended(
    other: Connection, writer: Connection, sent: Entry
) -> AsyncIterator["asyncio.Task[list[batches.Outcome]]"]:
    """Yield a writer's task that has written to the ledger, and waits before it writes its rows."""
    day = datetime.now(UTC)
    async with other.transaction():
        for each in (day, day.fromtimestamp(day.timestamp() - 60, UTC)):
            await other.execute(f"LOCK TABLE events_{each:%Y%m%d} IN ACCESS EXCLUSIVE MODE")
        storing = asyncio.create_task(batches.store(writer, [sent]))
        await blocked(other)
        yield storing


async def test_the_barrier_waits_for_a_writer_that_began_before(
    writer: Connection, owner: Connection, other: Connection
) -> None:
    gone = old()
    async with suspended(other, writer, entry(gone)) as storing:
        erasure_id = await record(owner, "range", gone, gone)
        await owner.execute("UPDATE erasures SET step = 'ordered'")
        for _ in range(2):
            with pytest.raises(asyncpg.LockNotAvailableError):
                await owner.execute("SELECT bar_writers(1, $1)", erasure_id)
    assert await storing == [Receipt(1, 0)]  # It began before: the job deletes what it stored.
    assert await erase(owner, 1, erasure_id) == 1
    assert await batches.store(writer, [entry(gone, sequence=1)]) == [Receipt(0, 1)]
    assert await owner.fetchval("SELECT count(*) FROM events") == 0


async def test_a_writer_that_dies_holds_nothing_up_and_stores_nothing(
    database: str, owner: Connection, other: Connection
) -> None:
    gone = old()
    async with connections.connected(database, "nocontent_writer") as writer:
        async with suspended(other, writer, entry(gone)) as storing:
            erasure_id = await record(owner, "range", gone, gone)
            await owner.execute("SELECT pg_terminate_backend($1)", writer.get_server_pid())
            with pytest.raises((asyncpg.PostgresError, OSError, asyncpg.InterfaceError)):
                await storing
        assert await erase(owner, 1, erasure_id) == 0
    async with connections.connected(database, "nocontent_writer") as writer:
        assert await batches.store(writer, [entry(gone)]) == [Receipt(0, 1)]


@pytest.mark.parametrize("isolation", ["read committed", "repeatable read", "serializable"])
async def test_a_writer_that_waited_for_the_barrier_sees_the_erasure(
    database: str, owner: Connection, other: Connection, isolation: str
) -> None:
    """Its statement arrived before the erasure was committed; the server's default isolation does not matter."""
    name = await owner.fetchval("SELECT current_database()")
    await owner.execute(f"ALTER DATABASE {name} SET default_transaction_isolation = '{isolation}'")
    gone = old()
    async with connections.connected(database, "nocontent_writer") as writer:
        assert await writer.fetchval("SHOW transaction_isolation") == "read committed"
        await batches.store(writer, [entry()])  # The statement is prepared.
        async with barring(other):
            storing = asyncio.create_task(batches.store(writer, [entry(gone)]))
            await blocked(owner)
            await record(owner, "range", gone, gone)
        assert await storing == [Receipt(0, 1)]
    assert await owner.fetchval("SELECT count(*) FROM events") == 1


async def test_all_batches_of_a_group_that_waited_get_their_answer(
    writer: Connection, owner: Connection, other: Connection
) -> None:
    gone, replay = old(), entry(sequence=3)
    await batches.store(writer, [replay])
    async with barring(other):
        storing = asyncio.create_task(batches.store(writer, [replay, entry(gone), entry(gone, tenant_id=2)]))
        await blocked(owner)
        await record(owner, "range", gone, gone)
    assert await storing == [Receipt(1, 0, replayed=True), Receipt(0, 1), Receipt(1, 0)]


async def test_a_writer_that_outlives_a_restore_knows_the_erasures_of_the_restored_database_alone(
    postgres: Cluster, database: str
) -> None:
    """The next erasure after the restore gets the revision of one that is undone."""
    name = database.partition("?")[0].rpartition("/")[2]
    undone, gone = old(), old()
    async with writing(database) as queue:
        async with operator(database) as owner:
            await record(owner, "events", undone)
            known = await owner.fetchval(NEWEST)
        assert await acknowledged(queue, entry(undone)) == Receipt(0, 1)
        await asyncio.to_thread(cluster.run, postgres.dsn, f"DROP DATABASE {name} WITH (FORCE)")
        await asyncio.to_thread(cluster.run, postgres.dsn, f"CREATE DATABASE {name} TEMPLATE migrated")
        async with operator(database) as owner:
            await record(owner, "events", gone)
            assert await owner.fetchval(NEWEST) == known
        assert await acknowledged(queue, entry(gone)) == Receipt(0, 1)
        assert await acknowledged(queue, entry(undone)) == Receipt(1, 0)


class Race:
    """Writers that send events of several tenants, old ones too, while these are erased."""

    def __init__(self) -> None:
        self.sent: dict[int, list[dict[str, object]]] = {tenant_id: [] for tenant_id in TENANTS}
        self.is_over = False
        self._sequences = itertools.count()

    async def write(self, database: str, seed: int) -> None:
        chance = random.Random(seed)
        stream_id = UUID(sample.uuid7())
        async with connections.connected(database, "nocontent_writer") as connection:
            while not self.is_over:
                group = [self._entry(chance, tenant_id, stream_id) for tenant_id in chance.choices(TENANTS, k=4)]
                try:
                    await batches.store(connection, group)
                except asyncpg.UniqueViolationError:
                    await batches.store_skipping(connection, group)

    def _entry(self, chance: random.Random, tenant_id: int, stream_id: UUID) -> Entry:
        known = self.sent[tenant_id]
        again = chance.sample(known, min(len(known), 4)) if chance.random() < 0.5 else []
        new = [sample.event(tags={"team": chance.choice(["search", "editor"])}) for _ in range(4)]
        known += new
        return entry(*again, *new, tenant_id=tenant_id, stream_id=stream_id, sequence=next(self._sequences))


_NAMED = """
SELECT count(*) FROM events JOIN erasures USING (tenant_id)
WHERE occurred_at BETWEEN first AND last AND (
    scope = 'range'
    OR scope = 'tag' AND term_id IN (tag_1, tag_2, tag_3, tag_4)
    OR scope = 'events' AND event_id IN (SELECT event_id FROM erasure_events WHERE tenant_id = events.tenant_id)
)
"""


async def test_nothing_comes_back_while_writers_and_erasures_race(database: str, owner: Connection) -> None:
    race, erased = Race(), dict.fromkeys(SCOPES, 0)
    async with asyncio.TaskGroup() as tasks:
        for seed in range(3):
            tasks.create_task(race.write(database, seed))
        ends_at = asyncio.get_running_loop().time() + RACES_S
        try:
            while asyncio.get_running_loop().time() < ends_at:
                for tenant_id, scope in itertools.product(TENANTS[:2], SCOPES):
                    await asyncio.sleep(0.03)
                    if named := race.sent[tenant_id][-20:-10]:
                        erasure_id = await record(owner, scope, *named, tenant_id=tenant_id, **SCOPES[scope])
                        erased[scope] += await erase(owner, tenant_id, erasure_id)
                    assert await owner.fetchval(_NAMED) == 0
        finally:
            race.is_over = True
    assert min(erased.values()) > 0
    assert await owner.fetchval(_NAMED) == 0
    assert await owner.fetchval("SELECT count(*) FROM events WHERE tenant_id = 3") == len(race.sent[3])
    assert await owner.fetchval("SELECT sum(duplicates) FROM batches") > 0
    balance = "SELECT (SELECT sum(accepted) FROM batches) - (SELECT count(*) FROM events)"
    assert await owner.fetchval(balance) == sum(erased.values())
