"""Weeks under a simulated clock: every time in the window can be stored, whoever maintains and however rarely.

Each walk has its own maintenance: none for up to six days, several maintainers at once, some whose clock is off.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import asyncpg
import pytest

from ingest.intake.errors import Rejected
from ingest.intake.explain import explain
from ingest.intake.quota_table import Table
from ingest.intake.service import Service
from ingest.intake.settings import IntakeSettings
from ingest.knowledge.snapshot import Tenant
from ingest.serving.tasks import Tasks
from ingest.store import batches, connections, partitions, retention, rows
from ingest.store.batches import NO_SEQUENCE, Entry
from ingest.store.connections import Connection
from schema import limits
from schema.decode import Refused, Window, decode
from schema.receipt import Receipt
from schema.vocabulary import Mode
from tests.support import cluster, sample
from tests.support.cluster import keep_at, noon, operator
from tests.support.gauge import VOCABULARIES

DAYS = 90
DEAD_DAYS_MAX = 6
START = date(2028, 2, 20)  # The walk passes a 29th of February.
TERMS = VOCABULARIES[Mode.REFUSE]
_DAYS = "SELECT relname AS name FROM pg_inherits JOIN pg_class ON oid = inhrelid WHERE inhparent = 'events'::regclass"
_ROLLED_UP = "DELETE FROM usage_marks"  # As if by a job: a day with rows that are still to be summed waits.
_STORED = "SELECT count(*) FROM events WHERE event_id = ANY($1)"


def window_at(now_ms: int, retention_days: int) -> Window:
    return Window.at(now_ms, retention_days)


def midnight_ms(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000


def day_of(at_ms: int) -> date:
    return datetime.fromtimestamp(at_ms / 1000, UTC).date()


def body_of(*times_ms: int) -> bytes:
    return sample.body(*(sample.event(event_id=sample.uuid7(at_ms)) for at_ms in times_ms))


def entry(body: bytes, window: Window, sequence: int = NO_SEQUENCE) -> Entry:
    """Decode an event at a time, and return the writer's entry."""
    decoded = decode(body, TERMS, window)
    digest = rows.digest(decoded)
    stream_id = digest if sequence == NO_SEQUENCE else UUID(sample.uuid7())
    count = len(decoded.tags)
    return Entry(1, stream_id, sequence, digest, count, 0, (0, 0, 0, 0), rows.encode(decoded, 1))


class World(NamedTuple):
    """A database, its writers and its maintainers."""

    writer: Connection
    maintainers: Sequence[Connection]
    control: Connection
    owner: Connection
    retention_days: int
    chance: random.Random

    async def maintain(self, today: date) -> None:
        """Run maintenance from one or more nodes at once, whose clocks may be a day off at midnight."""
        await self.owner.execute(_ROLLED_UP)
        chosen = self.maintainers[: self.chance.randint(1, len(self.maintainers))]
        days = [today, *(today - timedelta(self.chance.randint(0, 1)) for _ in chosen[1:])]
        kept = await asyncio.gather(
            *(keep_at(each, self.retention_days, noon(day)) for each, day in zip(chosen, days, strict=True))
        )
        assert sum(each.failed + each.postponed for each in kept) == 0
        # A leader whose clock is behind is followed by one whose clock is right.
        last = await keep_at(self.maintainers[0], self.retention_days, noon(today))
        if last.behind_days:  # Nobody maintained for days: an operator releases them.
            day = retention.due(self.retention_days, noon(today).now)
            await retention.catch_up(self.control, day, noon(today))
            await keep_at(self.maintainers[0], self.retention_days, noon(today))

    async def check_retention(self, today: date) -> None:
        names = sorted(row["name"] for row in await self.writer.fetch(_DAYS))
        assert names[0] >= partitions.partition_name(today - timedelta(self.retention_days + 1))
        assert len(names) >= self.retention_days + 1 + 1 + partitions.AHEAD_DAYS

    async def store(self, *taken: Entry) -> None:
        """Store by COPY, and then again, both as it was and in another batch."""
        assert await batches.store(self.writer, taken) == [Receipt(each.events, 0) for each in taken]
        again = await batches.store(self.writer, taken)
        assert again == [Receipt(0, each.events) for each in taken]

    async def check_moment(self, now_ms: int) -> None:
        """Check that every time in the window is stored, edges included, and that others are refused by their rule."""
        window = window_at(now_ms, self.retention_days)
        inside = [self.chance.randint(*window) for _ in range(4)]
        await self.store(
            entry(body_of(window.oldest_ms, window.newest_ms, now_ms, *inside), window),
            entry(body_of(window.newest_ms), window),
        )
        for at_ms, rule in ((window.oldest_ms - 1, "time.too-old"), (window.newest_ms + 1, "time.in-future")):
            outside = body_of(now_ms, at_ms)
            with pytest.raises(Refused):
                decode(outside, TERMS, window)
            refusal = explain(outside, TERMS, window)
            assert isinstance(refusal, Rejected)
            assert [violation.rule for violation in refusal.violations] == [rule]


@pytest.fixture
async def world(database: str, request: pytest.FixtureRequest) -> AsyncIterator[World]:
    seed, retention_days = request.param
    await asyncio.to_thread(cluster.let_the_clock_be_set, database)
    async with AsyncExitStack() as opened:
        writer = await opened.enter_async_context(connections.connected(database, "nocontent_writer"))
        nodes = [
            await opened.enter_async_context(connections.connected(database, "nocontent_maintainer")) for _ in range(3)
        ]
        control = await opened.enter_async_context(connections.connected(database, "nocontent_control"))
        owner = await opened.enter_async_context(operator(database))
        await retention.set_days(control, retention_days)
        yield World(writer, nodes, control, owner, retention_days, random.Random(seed))


@pytest.mark.parametrize("world", [(1, 1), (2, 3), (3, 5)], indirect=True, ids="seed {0[0]}, {0[1]} days".format)
async def test_whatever_the_window_takes_can_be_stored_at_any_time(world: World) -> None:
    chance = world.chance
    await world.maintain(START)
    idle_days = 0
    for day in (START + timedelta(days) for days in range(1, DAYS)):
        begins_ms = midnight_ms(day)
        late = window_at(begins_ms - 1, world.retention_days)
        taken = entry(body_of(late.oldest_ms, begins_ms - 1, begins_ms, late.newest_ms), late)
        # From seven days after the last time on, five minutes ahead may be a day that nobody has created.
        midday_ms = begins_ms + chance.randrange(sample.DAY_MS - limits.AHEAD_MS_MAX)
        moments = (begins_ms, midday_ms, begins_ms + sample.DAY_MS - 1)
        maintained_at = chance.choice(moments[:2] if idle_days == DEAD_DAYS_MAX else (*moments, None, None, None, None))
        idle_days = 0 if maintained_at else idle_days + 1
        if maintained_at == begins_ms:
            await world.maintain(day)
        await world.store(taken)  # It passed the gates before midnight, and waited in the queue.
        for now_ms in moments:
            await world.check_moment(now_ms)
            if maintained_at == now_ms:
                await world.maintain(day)
                await world.check_retention(day)
                await world.check_moment(now_ms)


@pytest.mark.parametrize("world", [(4, 3)], indirect=True, ids=["3 days"])
@pytest.mark.parametrize("sequence", [NO_SEQUENCE, 7])
async def test_a_batch_across_midnights_is_stored_once(world: World, database: str, sequence: int) -> None:
    today = datetime.now(UTC).date()  # By the clock of PostgreSQL, or maintenance would forget the ledger.
    begins_ms = midnight_ms(today)
    window = window_at(begins_ms, world.retention_days)
    body = body_of(*(begins_ms + days * sample.DAY_MS + ms for days in (-2, -1, 0) for ms in (-1, 0)))
    first, other = entry(body, window, sequence), entry(body, window, 8)
    await world.maintain(today)
    assert await batches.store(world.writer, [first]) == [Receipt(6, 0)]
    await world.maintain(today + timedelta(1))
    replayed = Receipt(0, 6) if sequence == NO_SEQUENCE else Receipt(6, 0, replayed=True)
    assert await batches.store(world.writer, [first]) == [replayed]
    async with operator(database) as connection:
        for again in (other, first):
            with pytest.raises(asyncpg.UniqueViolationError):
                await batches.store(world.writer, [again])
            assert await batches.store_skipping(world.writer, [again]) == [Receipt(0, 6)]
            await connection.execute("DELETE FROM batches")  # Even without its ledger a batch is not stored again.
        assert await connection.fetchval(_STORED, rows.event_ids(first.rows)) == 6


def test_the_window_of_the_service_is_the_simulated_one() -> None:
    service = Service(IntakeSettings(dsn="postgresql://", retention_days=3), Table(), Tasks())
    clock = service.snapshot.clock
    before = sample.now_ms()
    clock.take(datetime.now(UTC), clock.moment())
    window, after = service.snapshot.window(Tenant(1, TERMS)), sample.now_ms()
    assert window_at(before - 1, 3) <= window <= window_at(after + 1, 3)
    assert window.newest_ms - window.oldest_ms == 3 * sample.DAY_MS + limits.AHEAD_MS_MAX
    assert day_of(window.oldest_ms) >= day_of(before) - timedelta(3)
