"""The writer on a real, breaking database (`unavailable`, `outcome-unknown`): every batch is answered once."""

import asyncio
from collections import Counter
from uuid import uuid4

import asyncpg
import pytest
from prometheus_client import REGISTRY

from ingest.errors import Unavailable
from ingest.intake import metrics, writer
from ingest.intake.writer import Writer
from ingest.store import endings
from ingest.store.batches import NO_SEQUENCE, Entry
from ingest.store.errors import OutcomeUnknown, SequenceReused
from schema.receipt import Receipt
from tests.support import sample
from tests.support.cluster import operator
from tests.support.entries import WAIT_S, count, entry, outcome, writing
from tests.support.service import Logged

_BACKENDS = (
    "SELECT pid FROM pg_stat_activity WHERE application_name = 'nocontent-writer' AND datname = current_database()"
)


def poison() -> Entry:
    """Make a batch that the database refuses, of a day without a partition."""
    good = entry()
    far = int.from_bytes(good.rows[6:14], "big", signed=True) + 400 * sample.DAY_MS * 1_000
    changed = good.rows[:6] + far.to_bytes(8, "big", signed=True) + good.rows[14:]
    return Entry(1, uuid4(), NO_SEQUENCE, uuid4(), 1, 0, (0, 0, 0, 0), changed)


def transactions() -> Counter[str]:
    """Return the counts of transactions so far."""
    return Counter(
        {
            sample.labels["outcome"]: int(sample.value)
            for sample in next(iter(metrics.transactions.collect())).samples
            if sample.name == "ingest_transactions_total"
        }
    )


async def test_a_repeated_event_costs_the_others_of_its_group_nothing(database: str) -> None:
    known = sample.event()
    async with writing(database) as queue:
        await queue.put(entry(known))
        group = [queue.put(entry()), queue.put(entry(known)), queue.put(entry(sample.event(), known))]
        assert [await outcome(each) for each in group] == [Receipt(1, 0), Receipt(0, 1), Receipt(1, 1)]
    assert await count(database) == 3


async def test_a_reused_sequence_is_told_to_its_sender_alone(database: str) -> None:
    async with writing(database) as queue:
        await queue.put(entry(sequence=1))
        group = [queue.put(entry()), queue.put(entry(sequence=1))]
        first, second = [await outcome(each) for each in group]
    assert first == Receipt(1, 0)
    assert isinstance(second, SequenceReused)


async def test_a_batch_that_the_database_will_not_have_costs_only_itself(database: str) -> None:
    async with writing(database) as queue:
        group = [queue.put(entry()), queue.put(poison()), queue.put(entry())]
        first, bad, last = [await outcome(each) for each in group]
    assert (first, last) == (Receipt(1, 0), Receipt(1, 0))
    assert isinstance(bad, Unavailable)
    assert await count(database) == 2


async def test_the_batch_to_blame_is_found_by_halves(database: str, logged: Logged) -> None:
    async with writing(database) as queue:
        group = [queue.put(poison() if place == 37 else entry()) for place in range(64)]
        answers = [await outcome(each) for each in group]
    assert [type(answer) for answer in answers].count(Receipt) == 63
    assert isinstance(answers[37], Unavailable)
    failed = sum(int(str(line.get("suppressed", 1))) for line in logged() if line["event"] == "flush-failed")
    assert failed == 1 + 1 + 6  # By COPY, as a whole, and 64 halved to one.
    assert await count(database) == 63


async def test_many_bad_batches_cost_a_bounded_time_and_the_good_ones_are_stored(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "SPLIT_S_MAX", 0.5)
    async with writing(database) as queue:
        bad = [queue.put(poison()) for _ in range(2_000)]
        good = [queue.put(entry()) for _ in range(200)]
        assert {type(await outcome(each)) for each in bad} == {Unavailable}
        first = [await outcome(each) for each in good]
        # Batches not reached in time are retried, as their responses ask; by now the bad ones are dropped.
        again = [await outcome(queue.put(entry())) for answer in first if isinstance(answer, Unavailable)]
    assert {type(answer) for answer in (*first, *again)} <= {Receipt, Unavailable}
    assert not [answer for answer in again if not isinstance(answer, Receipt)]
    assert await count(database) == 200


async def test_a_lost_connection_is_outcome_unknown_and_a_retry_finds_out(database: str) -> None:
    waiting = entry(*(sample.event() for _ in range(100)), sequence=1)
    async with writing(database) as queue, operator(database) as operating:
        await queue.put(entry())
        async with operating.transaction():
            await operating.execute("LOCK TABLE batches IN ACCESS EXCLUSIVE MODE")
            stuck = queue.put(waiting)
            await _until_blocked(operating)
            for row in await operating.fetch(_BACKENDS):
                await operating.execute("SELECT pg_terminate_backend($1)", row["pid"])
            assert isinstance(await outcome(stuck), OutcomeUnknown)
        assert (await outcome(queue.put(waiting))) == Receipt(100, 0)
    assert await count(database) == 101


async def test_a_database_that_is_away_is_unavailable_and_the_writer_comes_back(database: str) -> None:
    name = database.partition("test_")[2].partition("?")[0]
    async with writing(database) as queue:
        await queue.put(entry())
        await _allow(database, f"test_{name}", allowed=False)
        failures = {type(await outcome(queue.put(entry()))) for _ in range(2)}
        assert failures <= {Unavailable, OutcomeUnknown}
        await _allow(database, f"test_{name}", allowed=True)
        assert await outcome(queue.put(entry())) == Receipt(1, 0)


async def test_closing_stores_what_was_taken(database: str) -> None:
    async with writing(database) as queue:
        waiting = [queue.put(entry()) for _ in range(50)]
    assert [await outcome(each) for each in waiting] == [Receipt(1, 0)] * 50
    assert await count(database) == 50


async def test_two_writers_of_one_queue_store_everything_once(database: str) -> None:
    shared = [sample.event() for _ in range(20)]
    async with writing(database) as queue:
        other = asyncio.create_task(Writer(database, queue).run())
        waiting = [queue.put(entry(sample.event(), shared[place % 20])) for place in range(200)]
        receipts = [await outcome(each) for each in waiting]
        queue.close()
        await asyncio.wait_for(other, WAIT_S)
    assert sum(receipt.accepted for receipt in receipts if isinstance(receipt, Receipt)) == 220
    assert await count(database) == 220


async def _until_blocked(connection: asyncpg.Connection) -> None:
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    async with asyncio.timeout(WAIT_S):
        while not await connection.fetchval(query):  # noqa: ASYNC110 - PostgreSQL does not tell of it.
            await asyncio.sleep(0.01)


async def _allow(dsn: str, name: str, *, allowed: bool) -> None:
    connection = await asyncpg.connect(dsn.replace(f"/{name}?", "/nocontent?"))
    try:
        await connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS {allowed}")
        if not allowed:
            await connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
    finally:
        await connection.close()


async def test_every_transaction_is_counted_by_what_the_database_answered(database: str) -> None:
    known = sample.event()
    before, commits = transactions(), REGISTRY.get_sample_value("ingest_commit_seconds_count")
    async with writing(database) as queue:
        await queue.put(entry(known))
        await queue.put(entry(known, sample.event()))  # COPY raises 23505, and INSERT stores it.
        assert isinstance(await outcome(queue.put(poison())), Unavailable)  # 23514, by COPY and by INSERT.
    assert transactions() - before == {"committed": 2, "23": 3}
    assert commits is not None
    assert REGISTRY.get_sample_value("ingest_commit_seconds_count") == commits + 2


async def test_a_connection_that_is_lost_or_not_to_be_had_is_counted(database: str) -> None:
    name = database.partition("/test_")[2].partition("?")[0]
    before = transactions()
    async with writing(database) as queue:
        await queue.put(entry())
        await _allow(database, f"test_{name}", allowed=False)
        while not isinstance(await outcome(queue.put(entry())), Unavailable):
            pass
        await _allow(database, f"test_{name}", allowed=True)
    counted = transactions() - before
    assert counted.pop("away") >= 1
    assert counted.pop("committed") == 1
    assert sum(counted.values()) <= 1  # 57P01, or no SQLSTATE at all: the connection that was terminated.


async def test_a_class_that_nobody_has_thought_of_is_another() -> None:
    assert endings.outcome(asyncpg.PostgresError()) == "other"
    assert endings.outcome(asyncpg.DiskFullError()) == "53"
    assert endings.outcome(TimeoutError()) == "lost"
