"""Quotas hold under concurrency: reserved in advance, shared by the workers, and charged for everything."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from uuid import UUID

import pytest

from ingest.intake import quota_table
from ingest.intake.errors import BatchOverQuota, QuotaExceeded
from ingest.intake.quota import Quotas
from ingest.intake.quota_table import Table, TableFull, Usage
from ingest.store import batches, connections
from ingest.store.batches import Entry
from schema.receipt import Receipt
from tests.support import cluster, customers, entries, sample, service
from tests.support.cluster import Cluster
from tests.support.customers import Customer, CustomerSpec
from tests.support.service import Server, wait_until
from tests.support.wire import Answer, Sender

QUOTA = 10
AT_ONCE = 12
NAMES = ("at-once", "duplicates", "replays", "one-by-one", "over", "refused", "gone", "streamless")
_LEDGER = "SELECT count(*) AS batches, coalesce(sum(accepted), 0) AS events FROM batches WHERE tenant_id = $1"
_LIMITED = CustomerSpec(quota=QUOTA)
_HEADER = '"events";r={};'


class Site:
    """A service with two workers, whose tenants have a quota each."""

    def __init__(self, server: Server, tenants: dict[str, Customer]) -> None:
        self.server, self.tenants = server, tenants

    def sender(self, name: str) -> Sender:
        return self.server.sender(self.tenants[name].token)

    def post(self, name: str, body: bytes) -> Answer:
        """Send a body over a new connection."""
        with contextlib.closing(self.sender(name)) as sender:
            return sender.post(body)

    def ledger(self, name: str) -> tuple[int, int]:
        (row,) = cluster.fetch(self.server.dsn, _LEDGER, self.tenants[name].tenant_id)
        return row["batches"], row["events"]


@pytest.fixture(scope="module")
def served(postgres: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    dsn = postgres.migrated()
    made = {
        name: customers.act(dsn, partial(customers.add, name=f"tenant-{name}", wanted=CustomerSpec(quota=QUOTA)))
        for name in NAMES
    }
    with service.serving(dsn, tmp_path_factory.mktemp("quota") / "log") as server:
        yield Site(server, made)
    postgres.drop(dsn)


@pytest.fixture
def site(served: Site) -> Site:
    """Return the service; wait for the next minute if this one, to which the quota applies, is about to end."""
    left_s = 60 - time.time() % 60
    if left_s < 12:
        time.sleep(left_s)
    return served


def posts(site: Site, name: str, bodies: list[bytes]) -> list[Answer]:
    """Send bodies concurrently, each over a new connection."""
    with ThreadPoolExecutor(len(bodies)) as threads:
        return list(threads.map(partial(site.post, name), bodies))


def test_a_quota_is_not_exceeded_by_batches_at_once(site: Site) -> None:
    bodies = [sample.body(*(sample.event() for _ in range(3))) for _ in range(AT_ONCE)]
    answers = Counter(answer.status for answer in posts(site, "at-once", bodies))
    assert answers == {200: QUOTA // 3, 429: AT_ONCE - QUOTA // 3}
    assert site.ledger("at-once") == (QUOTA // 3, QUOTA // 3 * 3)


def test_duplicates_cost_as_much_as_anything(site: Site) -> None:
    event = sample.event()
    stream = sample.uuid7()
    answers = [
        site.post("duplicates", sample.body(event, stream=sample.stream(place, stream))) for place in range(QUOTA + 5)
    ]
    assert [answer.status for answer in answers] == [200] * QUOTA + [429] * 5
    assert site.ledger("duplicates") == (QUOTA, 1)


def test_the_ledger_counts_them_too(site: Site) -> None:
    """Another service on the same database reads them from the ledger."""
    table = Table()
    quotas = Quotas(lambda _: QUOTA, table, time.time)
    tenant_id = site.tenants["one-by-one"].tenant_id
    event = sample.event()
    for sequence in range(4):
        assert site.post("one-by-one", sample.body(event, stream=sample.stream(sequence))).status == 200

    async def refresh() -> None:
        async with connections.connected(site.server.dsn, "nocontent_writer") as connection:
            await quotas.refresh(connection, [tenant_id])

    asyncio.run(refresh())
    left = quotas.left(tenant_id)
    assert left is not None
    assert left.events == QUOTA - 4


@pytest.mark.parametrize(("name", "envelope"), [("replays", {"stream": sample.stream(1)}), ("streamless", {})])
def test_replays_cost_as_much_as_anything(site: Site, name: str, envelope: dict[str, object]) -> None:
    body = sample.body(sample.event(), sample.event(), **envelope)
    answers = [site.post(name, body) for _ in range(QUOTA)]
    assert [answer.status for answer in answers] == [200] * (QUOTA // 2) + [429] * (QUOTA - QUOTA // 2)
    assert site.ledger(name) == (1, 2)
    assert all(_HEADER.format(0) in answer.headers["ratelimit"] for answer in answers[QUOTA // 2 :])


def test_a_batch_over_the_whole_quota_is_refused_for_good(site: Site) -> None:
    answer = site.post("over", sample.body(*(sample.event() for _ in range(QUOTA + 1))))
    assert (answer.status, answer.problem) == (413, "batch-over-quota")
    assert "retry-after" not in answer.headers
    assert answer.headers["ratelimit"].startswith(_HEADER.format(QUOTA))
    assert site.post("over", sample.body(*(sample.event() for _ in range(QUOTA)))).status == 200


def test_what_is_refused_is_given_back(site: Site) -> None:
    bodies = [sample.body(sample.event(prompt="hello")), b"{", sample.body(sample.event(latency_ms=-1))] * 5
    assert {answer.status for answer in posts(site, "refused", bodies)} <= {400, 422, 429}
    answer = site.post("refused", sample.body())
    assert answer.headers["ratelimit"].startswith(_HEADER.format(QUOTA - 1))


def test_what_a_sender_that_went_away_had_reserved_is_given_back(site: Site) -> None:
    for _ in range(QUOTA):
        sender = site.sender("gone")
        sender.begin(1_000)
        sender.close()

    def is_whole() -> bool:
        header = site.post("gone", b"{").headers.get("ratelimit", "")
        return header.startswith(_HEADER.format(QUOTA))

    wait_until(is_whole)


# --- The table -----------------------------------------------------------------------------------------------------


def test_a_new_minute_begins_with_what_is_under_way() -> None:
    table = Table()
    assert table.reserve(7, 1, 4, QUOTA)
    assert table.reserve(7, 1, 5, QUOTA)
    table.settle(7, 1, Usage(entered=5, replayed=0, reserved=5))
    assert table.used(7, 1) == (5, 0, 4)
    assert not table.reserve(7, 1, 2, QUOTA)
    assert table.used(7, 2) == (0, 0, 4)
    assert table.reserve(7, 2, 6, QUOTA)


def test_tenants_that_meet_in_a_place_are_told_apart() -> None:
    table = Table()
    tenants = [1, 1 + quota_table.TENANTS_MAX, 1 + 2 * quota_table.TENANTS_MAX, 2]
    for place, tenant in enumerate(tenants):
        assert table.reserve(tenant, 1, place + 1, QUOTA)
    assert [table.used(tenant, 1).reserved for tenant in tenants] == [1, 2, 3, 4]


def test_places_of_past_minutes_are_used_again_and_a_full_table_says_so() -> None:
    table = Table()
    crowd = [1 + place * quota_table.TENANTS_MAX for place in range(quota_table.PROBES_MAX)]
    for tenant in crowd:
        assert table.reserve(tenant, 1, 1, QUOTA)
    newcomer = 1 + quota_table.PROBES_MAX * quota_table.TENANTS_MAX
    with pytest.raises(TableFull):
        table.reserve(newcomer, 1, 1, QUOTA)
    table.settle(crowd[5], 1, Usage(1, 0, 1))
    with pytest.raises(TableFull):
        table.reserve(newcomer, 1, 1, QUOTA)  # It counts in this minute.
    assert table.reserve(newcomer, 2, 1, QUOTA)
    assert [table.used(tenant, 2).reserved for tenant in crowd[:3]] == [1, 1, 1]


def test_a_reservation_grows_with_what_is_known_and_never_over_the_quota() -> None:
    quotas = Quotas(lambda _: QUOTA, Table(), time.time)
    with quotas.reserved(1) as first, quotas.reserved(1) as second:
        first.extend(8)
        with pytest.raises(QuotaExceeded):
            second.extend(3)
        with pytest.raises(BatchOverQuota):
            second.extend(QUOTA + 1)
        second.extend(2)
        with pytest.raises(QuotaExceeded), quotas.reserved(1):
            pass
    left = quotas.left(1)
    assert left is not None
    assert left.events == QUOTA


@pytest.mark.parametrize("quota_of", [lambda _: None], ids=["none"])
def test_without_a_quota_nothing_is_counted(quota_of: Callable[[int], int | None]) -> None:
    table = Table()
    quotas = Quotas(quota_of, table, time.time)
    with quotas.reserved(1) as reservation:
        reservation.extend(5_000)
        assert table.used(1, 0) == (0, 0, 0)
    assert quotas.left(1) is None


async def test_a_batch_that_fails_gives_back_and_one_that_nobody_waits_for_counts() -> None:
    quotas = Quotas(lambda _: QUOTA, Table(), time.time)
    entry = await _entry(4)
    ends: tuple[Callable[[asyncio.Future[Receipt]], object], ...] = (
        lambda each: each.set_exception(QuotaExceeded(1)),
        lambda each: each.cancel(),
    )
    for end in ends:
        stored: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        with quotas.reserved(1) as reservation:
            reservation.extend(4)
            reservation.keep(entry, stored)
        assert quotas.left(1).events == 6  # type: ignore[union-attr]  # It has a quota.
        end(stored)
        await asyncio.sleep(0)
        assert quotas.left(1).events == QUOTA  # type: ignore[union-attr]  # It has.
    stored = asyncio.get_running_loop().create_future()
    with quotas.reserved(1) as reservation:
        reservation.extend(4)
        reservation.keep(entry, stored)
    stored.set_result(Receipt(4, 0))
    await asyncio.sleep(0)
    assert quotas.left(1).events == 6  # type: ignore[union-attr]  # It has.


async def test_a_batch_that_is_stored_and_not_settled_counts_once(database: str) -> None:
    customer = await asyncio.to_thread(customers.act, database, partial(customers.add, name="acme", wanted=_LIMITED))
    tenant_id = customer.tenant_id
    ours, others = (Quotas(lambda _: QUOTA, Table(), time.time) for _ in range(2))
    stored: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
    if (left_s := 60 - time.time() % 60) < 5:
        await asyncio.sleep(left_s)
    async with connections.connected(database, "nocontent_writer") as connection:
        with ours.reserved(tenant_id) as reservation:
            (receipt,) = await batches.store(connection, [entries.entry(tenant_id=tenant_id)])
            assert isinstance(receipt, Receipt)
            reservation.keep(entries.entry(tenant_id=tenant_id), stored)
            for quotas in (ours, others):
                await quotas.refresh(connection, [tenant_id])
                assert quotas.left(tenant_id).events == QUOTA - 1  # type: ignore[union-attr]  # It has a quota.
        stored.set_result(receipt)
        await asyncio.sleep(0)
        with others.reserved(tenant_id):  # One in flight does not hide what others are known to have stored.
            for quotas, left in ((ours, QUOTA - 1), (others, QUOTA - 2)):
                await quotas.refresh(connection, [tenant_id])
                assert quotas.left(tenant_id).events == left  # type: ignore[union-attr]  # It has.


async def _entry(events: int) -> Entry:
    return Entry(1, UUID(sample.uuid7()), 1, UUID(sample.uuid7()), events, 0, (0, 0, 0, 0), b"")
