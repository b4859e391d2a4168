"""Events that come again after their erasure are left out, whatever it named, and nothing else is."""

import random
from collections.abc import Awaitable, Callable
from uuid import UUID

import asyncpg
import pytest
from prometheus_client import REGISTRY

from ingest.knowledge.errors import RevokedToken
from ingest.store import batches, connections, rows, tombstones
from ingest.store.batches import NO_SEQUENCE, Entry, Outcome
from ingest.store.connections import Connection
from schema.receipt import Receipt
from tests.support import sample
from tests.support.entries import STREAM, entry
from tests.support.erasing import at
from tests.support.tombstones import erase, record

SEARCH, EDITOR = 101, 103  # Of the tag `team`, in gauge.VOCABULARIES.
BOTH = pytest.mark.parametrize("store", [batches.store, batches.store_skipping])
_Store = Callable[[Connection, list[Entry]], Awaitable[list[Outcome]]]


def event(hours_ago: float = 0.0, **changed: object) -> dict[str, object]:
    return sample.event(event_id=sample.uuid7(sample.now_ms() - int(hours_ago * 3_600_000)), **changed)


async def ledger(connection: Connection) -> list[tuple[int, int]]:
    found = await connection.fetch("SELECT accepted, duplicates FROM batches ORDER BY accepted DESC, duplicates")
    return [(row["accepted"], row["duplicates"]) for row in found]


async def stored(connection: Connection) -> set[str]:
    return {str(row["event_id"]) for row in await connection.fetch("SELECT event_id FROM events")}


def ids(*events: dict[str, object]) -> set[str]:
    return {str(each["event_id"]) for each in events}


@BOTH
async def test_an_erased_range_stays_empty_and_its_events_are_answered_as_duplicates(
    writer: Connection, owner: Connection, store: _Store
) -> None:
    before, gone, other, after = event(3), event(2), event(1), event()
    await batches.store(writer, [entry(before, gone, other, after)])
    assert await erase(owner, 1, await record(owner, "range", gone, other)) == 2
    new = event(0.5)
    assert await store(writer, [entry(gone, new, other), entry()]) == [Receipt(1, 2), Receipt(1, 0)]
    assert ids(gone, other) & await stored(owner) == set()
    assert ids(new) <= await stored(owner)
    assert await ledger(owner) == [(4, 0), (1, 0), (1, 2)]
    assert await owner.fetchval("SELECT sum(events) FROM usage_marks") == 4 + 2
    assert await owner.fetchval("SELECT difference FROM reconciliation") == 0


@BOTH
async def test_a_batch_of_erased_events_alone_is_in_the_ledger_and_its_replay_gets_the_receipt(
    writer: Connection, owner: Connection, store: _Store
) -> None:
    gone = [event(2), event(1)]
    await record(owner, "range", *gone)
    again = entry(*gone, sequence=7)
    assert await store(writer, [again]) == [Receipt(0, 2)]
    assert await store(writer, [again, again]) == [Receipt(0, 2, replayed=True)] * 2
    assert await stored(owner) == set()
    assert await ledger(owner) == [(0, 2)]


async def test_a_replay_of_a_batch_from_before_gets_its_first_receipt(writer: Connection, owner: Connection) -> None:
    first = entry(event(2), event(1), sequence=7)
    await batches.store(writer, [first])
    await record(owner, "range", event(2), event(0.5))
    assert await batches.store(writer, [first]) == [Receipt(2, 0, replayed=True)]


async def test_a_tag_is_erased_in_its_range_alone(writer: Connection, owner: Connection) -> None:
    named = [event(2, tags={"region": "eu", "team": "search"}), event(1, tags={"team": "search"})]
    others = [event(1.5, tags={"team": "editor"}), event(1.5, tags={}), event(0.1, tags={"team": "search"})]
    await batches.store(writer, [entry(*named, *others)])
    assert await erase(owner, 1, await record(owner, "tag", *named, term_id=SEARCH)) == 2
    assert await batches.store_skipping(writer, [entry(*named, *others, sequence=1)]) == [Receipt(0, 5)]
    assert await stored(owner) == ids(*others)


@BOTH
async def test_events_are_erased_by_their_ids(writer: Connection, owner: Connection, store: _Store) -> None:
    gone, other = [event(2), event(1)], event(1.5)
    await batches.store(writer, [entry(*gone)])
    assert await erase(owner, 1, await record(owner, "events", *gone)) == 2
    assert await store(writer, [entry(*gone, other, sequence=1)]) == [Receipt(1, 2)]
    assert await stored(owner) == ids(other)


async def test_batches_of_an_erased_tenant_get_the_answer_of_a_revoked_token(
    writer: Connection, owner: Connection
) -> None:
    await record(owner, "tenant")
    refused, kept, other = await batches.store(writer, [entry(), entry(tenant_id=2), entry(sequence=4)])
    assert isinstance(refused, RevokedToken)
    assert kept == Receipt(1, 0)
    assert isinstance(other, RevokedToken)
    (alone,) = await batches.store(writer, [entry()])
    assert isinstance(alone, RevokedToken)
    assert await owner.fetchval("SELECT count(*) FROM batches WHERE tenant_id = 1") == 0
    assert await owner.fetchval("SELECT count(*) FROM events WHERE tenant_id = 1") == 0


async def test_a_line_of_an_erased_stream_comes_back_as_a_batch_without_a_stream(
    writer: Connection, owner: Connection
) -> None:
    first, second, later = entry(sequence=4), entry(sequence=5), entry(sequence=6)
    await batches.store(writer, [first])
    await record(owner, "stream", stream_id=STREAM, sequence=3)
    await record(owner, "stream", stream_id=STREAM, sequence=5)
    await owner.execute("DELETE FROM batches")
    assert await batches.store_skipping(writer, [first, second, later]) == [Receipt(0, 1), Receipt(1, 0), Receipt(1, 0)]
    assert await batches.store(writer, [first, second]) == [Receipt(0, 1), Receipt(0, 1)]
    assert await batches.store(writer, [later]) == [Receipt(1, 0, replayed=True)]
    keys = await owner.fetch("SELECT stream_id, sequence FROM batches")
    assert {(row["stream_id"], row["sequence"]) for row in keys} == {
        (first.digest, NO_SEQUENCE), (second.digest, NO_SEQUENCE), (STREAM, 6)
    }  # fmt: skip


async def test_another_tenant_with_the_same_events_keeps_them(writer: Connection, owner: Connection) -> None:
    shared = event(1)
    for scope, named in (("range", {}), ("events", {}), ("tag", {"term_id": SEARCH})):
        await record(owner, scope, shared, **named)
    outcomes = await batches.store(writer, [entry(shared), entry(shared, tenant_id=2)])
    assert outcomes == [Receipt(0, 1), Receipt(1, 0)]


@pytest.mark.parametrize("seed", range(4))
async def test_a_writer_leaves_out_just_what_the_job_deletes(writer: Connection, owner: Connection, seed: int) -> None:
    chance = random.Random(seed)
    teams = [{}, {"team": "search"}, {"team": "editor", "region": "us"}, {"region": "eu"}]
    events = [event(chance.choice([1, 2, 3, 30, 31]), tags=chance.choice(teams)) for _ in range(60)]
    await batches.store(writer, [entry(*events)])
    named = chance.sample(events, 12)
    erasures = [
        await record(owner, "range", *named[:2]),
        await record(owner, "tag", *named[2:4], term_id=SEARCH),
        await record(owner, "tag", first=None, last=at(named[4]), term_id=EDITOR),
        await record(owner, "events", *named[5:]),
    ]
    erased = sum([await erase(owner, 1, each) for each in erasures])
    left = await stored(owner)
    assert len(left) == 60 - erased
    before = REGISTRY.get_sample_value("ingest_erased_events_ignored_total") or 0
    assert await batches.store_skipping(writer, [entry(*events, sequence=1)]) == [Receipt(0, 60)]
    assert await stored(owner) == left
    assert REGISTRY.get_sample_value("ingest_erased_events_ignored_total") == before + erased


async def test_the_usual_case_needs_no_further_round_trip(database: str, owner: Connection) -> None:
    """Erasures of other tenants, or of older events, cost the statements of no batch anything."""
    await record(owner, "range", event(3), event(2), tenant_id=2)
    await record(owner, "events", event(3), event(2), tenant_id=1)
    statements: list[str] = []
    async with connections.connected(database, "nocontent_writer") as connection:
        await batches.store(connection, [entry()])  # Reads the erasures.
        with connection.query_logger(lambda record: statements.append(record.query)):
            await batches.store(connection, [entry(), entry(tenant_id=2)])
    assert [statement.split()[0] for statement in statements] == ["BEGIN", "INSERT", "INSERT", "COMMIT"]


async def test_a_connection_forgets_what_a_restored_database_never_erased(
    writer: Connection, owner: Connection
) -> None:
    again = event(1)
    await record(owner, "range", event(2), again)
    assert await batches.store(writer, [entry(again)]) == [Receipt(0, 1)]
    await owner.execute("DELETE FROM erasures")
    await owner.execute("DELETE FROM batches")
    assert await batches.store(writer, [entry(again)]) == [Receipt(1, 0)]


async def test_what_can_matter_no_more_is_not_read(writer: Connection, owner: Connection) -> None:
    """The horizon decides, less the longest retention, because somebody may lengthen it."""
    await owner.execute("UPDATE retention SET horizon = current_date - 30")
    for days, tenant_id in ((429, 3), (431, 4)):
        await record(owner, "range", event(24 * days + 1), event(24 * days), tenant_id=tenant_id)
    await tombstones.read(writer)
    assert set(tombstones.known(writer).tenants) == {3}
    assert tombstones.known(writer).revision == await owner.fetchval("SELECT max(revision) FROM erasures")


async def test_an_id_with_a_zero_at_its_end_is_itself_alone(writer: Connection, owner: Connection) -> None:
    head = sample.uuid7()[:-4]
    one, other = (sample.event(event_id=f"{head}{tail}") for tail in ("6100", "6161"))
    await record(owner, "events", one)
    assert await batches.store(writer, [entry(one, other)]) == [Receipt(1, 1)]
    assert await stored(owner) == ids(other)
    assert rows.event_ids(entry(one).rows) == [UUID(str(one["event_id"]))]


async def test_the_writer_may_not_record_an_erasure(writer: Connection) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await record(writer, "range", event(2), event(1))
