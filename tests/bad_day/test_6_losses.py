"""Losses that a proxy reports, alone or beside events, with or without a stream, are counted exactly once."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest

from ingest.errors import Overloaded
from ingest.intake.queue import GROUP_ROWS_MAX, TENANT_ROWS_MAX, Queue
from ingest.store import batches, connections, rows
from ingest.store.batches import NO_SEQUENCE, Entry, Outcome
from ingest.store.connections import Connection
from schema.decode import decode
from schema.event import DROP_REASONS
from schema.receipt import Receipt
from schema.vocabulary import Mode
from tests.intake.test_metrics import scrape
from tests.support import cluster, sample
from tests.support.customers import Customer
from tests.support.gauge import VOCABULARIES, window
from tests.support.service import Server
from tests.support.wire import Sender

Store = Callable[[Connection, Sequence[Entry]], Awaitable[list[Outcome]]]
LOST = {"queue_full": 7, "shutdown": 2}


def told(server: Server) -> dict[str, float]:
    """Return the metrics of losses and coarsened terms."""
    sums = scrape(server)
    return {name: sums[name] for name in sums if name.startswith(("ingest_dropped", "ingest_coarsened"))}


def grown(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    named = {name.partition("{")[2].rstrip("}") or name: after[name] - before[name] for name in after}
    return {name: growth for name, growth in named.items() if growth}


def kept(server: Server, tenant: Customer, stream_id: str) -> list[tuple[int, ...]]:
    """Return the ledger's rows of a stream: sequence, accepted, and each reason's losses."""
    reasons = ", ".join(f"dropped_{reason}" for reason in DROP_REASONS)
    query = (
        f"SELECT sequence, accepted, {reasons} FROM batches WHERE tenant_id = $1 AND stream_id = $2::uuid ORDER BY 1"
    )
    return [tuple(row) for row in cluster.fetch(server.dsn, query, tenant.tenant_id, stream_id)]


def losses(stream: dict[str, object] | None, dropped: dict[str, int], *, lists_events: bool = False) -> bytes:
    """Write a batch without events."""
    envelope = {"dropped": dropped} | ({} if stream is None else {"stream": stream})
    body = sample.body(**envelope)
    start = body.index(b',"events":')
    return body[:start] + (b',"events":[]}' if lists_events else b"}")


@pytest.mark.parametrize("lists_events", [False, True])
def test_losses_alone_are_kept_once_however_often_they_are_sent(
    server: Server, sender: Sender, tenants: dict[str, Customer], *, lists_events: bool
) -> None:
    stream_id, before = sample.uuid7(), told(server)
    first = losses(sample.stream(0, stream_id), LOST, lists_events=lists_events)
    assert sender.post(first).json == {"accepted": 0, "duplicates": 0}
    for _ in range(3):
        assert sender.post(first).json == {"accepted": 0, "duplicates": 0, "replayed": True}
    assert sender.post(losses(sample.stream(1, stream_id), {"queue_full": 1})).json == {"accepted": 0, "duplicates": 0}
    assert kept(server, tenants["main"], stream_id) == [(0, 0, 7, 0, 0, 2), (1, 0, 1, 0, 0, 0)]
    assert grown(before, told(server)) == {"queue_full": 8, "shutdown": 2}
    state = sender.get(f"/v1/streams/{stream_id}").json
    assert state["dropped"] == {"queue_full": 8, "retries_exhausted": 0, "refused": 0, "shutdown": 2}
    assert (state["batches"], state["accepted"], state["missing"]) == (2, 0, 0)


def test_two_reports_alike_are_two_and_one_sent_at_once_is_one(
    server: Server, sender: Sender, tenants: dict[str, Customer]
) -> None:
    stream_id = sample.uuid7()
    assert sender.post(losses(sample.stream(0, stream_id), LOST)).status == 200
    again = losses(sample.stream(1, stream_id), LOST)
    with server.one_to_each_worker(tenants["main"].token) as senders, ThreadPoolExecutor() as threads:
        answers = list(threads.map(lambda each: each.post(again), senders))
    assert [answer.status for answer in answers] == [200] * len(answers)
    assert kept(server, tenants["main"], stream_id) == [(0, 0, 7, 0, 0, 2), (1, 0, 7, 0, 0, 2)]


def test_another_report_under_the_same_sequence_is_a_conflict(sender: Sender) -> None:
    stream = sample.stream(0)
    assert sender.post(losses(stream, LOST)).status == 200
    assert sender.post(losses(stream, {**LOST, "shutdown": 3})).problem == "sequence-reused"
    assert sender.post(sample.body(stream=stream, dropped=LOST)).problem == "sequence-reused"
    # A reason with 0 means the same as one left out.
    assert sender.post(losses(stream, {**LOST, "refused": 0})).json["replayed"] is True


def test_losses_alone_without_a_stream_are_refused_by_a_rule_that_says_so(sender: Sender) -> None:
    for lists_events in (False, True):
        answer = sender.post(losses(None, LOST, lists_events=lists_events))
        assert (answer.status, answer.violations) == (422, [("shape.dropped-without-stream", "/stream")])


def test_losses_beside_events_without_a_stream_are_counted_once_too(
    server: Server, sender: Sender, tenants: dict[str, Customer]
) -> None:
    before = told(server)
    body = sample.body(sample.event(), sample.event(), dropped=LOST)
    assert sender.post(body).json == {"accepted": 2, "duplicates": 0}
    for _ in range(2):
        assert sender.post(body).json == {"accepted": 0, "duplicates": 2}
    assert grown(before, told(server)) == {"queue_full": 7, "shutdown": 2}
    query = "SELECT sum(dropped_queue_full) FROM batches WHERE tenant_id = $1 AND sequence = -1"
    sums = cluster.fetch(server.dsn, query, tenants["main"].tenant_id)
    assert sender.post(body).status == 200
    assert cluster.fetch(server.dsn, query, tenants["main"].tenant_id) == sums


def test_a_coarsened_term_is_counted_once_too(server: Server, tenants: dict[str, Customer]) -> None:
    before, coarsener = told(server), server.sender(tenants["coarsener"].token)
    body = sample.body(sample.event(provider="nobody-knows"))
    for _ in range(3):
        assert coarsener.post(body).json["coarsened"] == 1
    coarsener.close()
    assert grown(before, told(server)) == {"ingest_coarsened_terms_total": 1}


def test_losses_alone_leave_what_is_reconciled_as_it_is(
    server: Server, sender: Sender, tenants: dict[str, Customer]
) -> None:
    query = "SELECT accepted, difference FROM reconciliation WHERE tenant_id = $1"
    before = cluster.fetch(server.dsn, query, tenants["main"].tenant_id)
    assert sender.post(losses(sample.stream(0), LOST)).status == 200
    assert cluster.fetch(server.dsn, query, tenants["main"].tenant_id) == before


def test_learning_and_coarsening_tenants_report_losses_alone(server: Server, tenants: dict[str, Customer]) -> None:
    for name in ("learner", "coarsener", "reader"):
        other = server.sender(tenants[name].token)
        assert other.post(losses(sample.stream(0), LOST)).json == {"accepted": 0, "duplicates": 0}
        other.close()


def test_losses_alone_cost_an_event_of_a_quota(server: Server, tenants: dict[str, Customer]) -> None:
    losing = server.sender(tenants["losing"].token)
    # More than the quota of two minutes, in case one ends meanwhile.
    answers = [losing.post(losses(sample.stream(0), LOST)) for _ in range(21)]
    losing.close()
    assert {answer.status for answer in answers} == {200, 429}
    assert [answer.status for answer in answers].count(200) <= 20
    assert answers[0].headers["ratelimit"].startswith('"events";r=9;')


# --- Batches that wait for a writer ---


def entry(sequence: int, tenant_id: int = 1) -> Entry:
    decoded = decode(losses(sample.stream(sequence), LOST), VOCABULARIES[Mode.REFUSE], window())
    assert decoded.stream
    return Entry(
        tenant_id=tenant_id,
        stream_id=UUID(decoded.stream.id),
        sequence=sequence,
        digest=rows.digest(decoded),
        events=0,
        coarsened=0,
        dropped=tuple((decoded.dropped or {}).get(reason, 0) for reason in DROP_REASONS),
        rows=rows.encode(decoded, tenant_id),
    )


async def test_losses_alone_take_room_in_the_queue_and_in_a_group() -> None:
    waiting = Queue()
    one = entry(0)
    assert one.rows == b""
    for _ in range(TENANT_ROWS_MAX):
        waiting.put(one)
    with pytest.raises(Overloaded):
        waiting.put(one)
    assert len(await waiting.take()) == GROUP_ROWS_MAX
    assert waiting.rows == TENANT_ROWS_MAX - GROUP_ROWS_MAX


@pytest.mark.parametrize("store", [batches.store, batches.store_skipping])
async def test_a_group_may_be_of_losses_alone_or_of_both(database: str, store: Store) -> None:
    decoded = decode(sample.body(), VOCABULARIES[Mode.REFUSE], window())
    digest = rows.digest(decoded)
    event = Entry(1, digest, NO_SEQUENCE, digest, 1, 0, (0, 0, 0, 0), rows.encode(decoded, 1))
    async with connections.connected(database, "nocontent_writer") as writer:
        alone = [entry(0), entry(1), entry(2)]
        assert await store(writer, alone) == [Receipt(0, 0)] * 3
        assert await store(writer, [entry(3), event]) == [Receipt(0, 0), Receipt(1, 0)]
        assert await store(writer, alone) == [Receipt(0, 0, replayed=True)] * 3


async def test_the_last_words_of_many_proxies_at_once(database: str) -> None:
    """Each on a connection of its own, as proxies shut down together."""

    async def tell(sequence: int) -> list[Outcome]:
        async with connections.connected(database, "nocontent_writer") as writer:
            return await batches.store(writer, [entry(sequence), shared])

    shared = entry(0)
    outcomes = await asyncio.gather(*map(tell, range(1, 9)))
    assert [own for own, _ in outcomes] == [Receipt(0, 0)] * 8
    assert sorted(isinstance(both, Receipt) and both.replayed for _, both in outcomes) == [False, *[True] * 7]
