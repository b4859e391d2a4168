"""Storing groups of batches on real connections: duplicates, replays, and two writers at once."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest

from ingest.store import batches, connections
from ingest.store.batches import NO_SEQUENCE, Entry
from ingest.store.connections import Connection
from ingest.store.errors import SequenceReused
from schema.receipt import Receipt
from tests.support import sample
from tests.support.entries import entry


@pytest.fixture
async def other(database: str) -> AsyncIterator[Connection]:
    async with connections.connected(database, "nocontent_writer") as connection:
        yield connection


async def test_a_group_is_stored_and_each_batch_gets_its_receipt(writer: Connection) -> None:
    group = [entry(), entry(sample.event(), sample.event())]
    assert await batches.store(writer, group) == [Receipt(1, 0), Receipt(2, 0)]


async def test_copy_refuses_a_group_with_a_known_event_whole(writer: Connection) -> None:
    known = sample.event()
    await batches.store(writer, [entry(known)])
    fresh = entry()
    with pytest.raises(asyncpg.UniqueViolationError):
        await batches.store(writer, [fresh, entry(known, sample.event())])
    assert await batches.store(writer, [fresh]) == [Receipt(1, 0)]


async def test_skipping_stores_what_is_new(writer: Connection) -> None:
    known = sample.event()
    await batches.store(writer, [entry(known)])
    assert await batches.store_skipping(writer, [entry(known, sample.event()), entry()]) == [
        Receipt(1, 1),
        Receipt(1, 0),
    ]


async def test_of_two_batches_of_a_group_with_one_event_one_gets_the_credit(writer: Connection) -> None:
    shared = sample.event()
    outcomes = await batches.store_skipping(writer, [entry(shared), entry(shared, sample.event())])
    assert outcomes in ([Receipt(1, 0), Receipt(1, 1)], [Receipt(0, 1), Receipt(2, 0)])


async def test_a_batch_twice_in_a_group_is_stored_once(writer: Connection) -> None:
    events = [sample.event(), sample.event()]
    assert await batches.store(writer, [entry(*events), entry(*events)]) == [Receipt(2, 0), Receipt(0, 2)]


async def test_a_replay_of_a_sequence_gets_the_first_receipt(writer: Connection) -> None:
    first = entry(sequence=4)
    await batches.store(writer, [first])
    assert await batches.store(writer, [first]) == [Receipt(1, 0, replayed=True)]


async def test_the_receipt_of_a_replay_counts_the_duplicates_of_the_first_time(writer: Connection) -> None:
    known = sample.event()
    await batches.store(writer, [entry(known)])
    first = entry(known, sample.event(), sequence=4)
    await batches.store_skipping(writer, [first])
    assert await batches.store(writer, [first]) == [Receipt(1, 1, replayed=True)]


async def test_a_sequence_with_other_events_is_reused(writer: Connection) -> None:
    await batches.store(writer, [entry(sequence=4)])
    (outcome,) = await batches.store(writer, [entry(sequence=4)])
    assert isinstance(outcome, SequenceReused)


async def test_a_reused_sequence_costs_only_itself(writer: Connection) -> None:
    await batches.store(writer, [entry(sequence=4)])
    outcomes = await batches.store(writer, [entry(), entry(sequence=4), entry(sequence=5)])
    assert [isinstance(outcome, SequenceReused) for outcome in outcomes] == [False, True, False]


async def test_two_tenants_share_neither_sequences_nor_ids(writer: Connection) -> None:
    event = sample.event()
    group = [entry(event, sequence=4, tenant_id=tenant) for tenant in (1, 2)]
    assert await batches.store(writer, group) == [Receipt(1, 0), Receipt(1, 0)]


async def test_a_group_that_is_not_committed_leaves_no_ledger(writer: Connection, other: Connection) -> None:
    known = sample.event()
    await batches.store(writer, [entry(known)])
    with pytest.raises(asyncpg.UniqueViolationError):
        await batches.store(writer, [entry(sample.event(), known, sequence=4)])
    fresh = entry(sequence=4)
    assert await batches.store(other, [fresh]) == [Receipt(1, 0)]
    assert await batches.store(writer, [fresh]) == [Receipt(1, 0, replayed=True)]


@pytest.mark.parametrize("sequence", [NO_SEQUENCE, 4])
async def test_one_batch_on_two_connections_is_stored_once(
    writer: Connection, other: Connection, sequence: int
) -> None:
    for _ in range(20):
        same = entry(*(sample.event() for _ in range(50)), sequence=sequence)
        both = await asyncio.gather(*(batches.store_skipping(each, [same]) for each in (writer, other)))
        accepted = [outcome.accepted for (outcome,) in both if isinstance(outcome, Receipt) and not outcome.replayed]
        assert sum(accepted) == 50
        sequence += sequence != NO_SEQUENCE


async def test_overlapping_groups_on_two_connections_do_not_deadlock(writer: Connection, other: Connection) -> None:
    for _ in range(20):
        events = [sample.event() for _ in range(200)]
        one, two = entry(*events), entry(*reversed(events))
        both = await asyncio.gather(batches.store_skipping(writer, [one]), batches.store_skipping(other, [two]))
        assert sum(outcome.accepted for (outcome,) in both if isinstance(outcome, Receipt)) == 200


async def test_a_dropped_count_is_kept_in_the_ledger(writer: Connection, database: str) -> None:
    del database
    lost = Entry(1, uuid4(), 3, uuid4(), 1, 0, (5, 6, 7, 8), entry().rows)
    await batches.store(writer, [lost])
    query = "SELECT dropped_queue_full, dropped_retries_exhausted, dropped_refused, dropped_shutdown FROM batches"
    assert [tuple(row.values()) for row in await writer.fetch(query)] == [(5, 6, 7, 8)]
