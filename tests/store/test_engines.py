"""The same migrations, service and views on the newest and the oldest supported PostgreSQL, and on Citus."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest

from ingest.store import batches, connections, maintenance, migrate, streams, tokens
from ingest.store.errors import SequenceReused
from ingest.store.usage import rollups
from schema.event import Kind
from schema.receipt import Receipt
from schema.vocabulary import Mode
from tests.support import cluster, customers, engines, lint, sample, service
from tests.support.cluster import Cluster, operator, set_retention
from tests.support.customers import Customer, CustomerSpec
from tests.support.engines import RETENTION_DAYS
from tests.support.entries import entry
from tests.support.service import Server, wait_until
from tests.support.wire import Sender

TENANTS = 5
LEARNING = CustomerSpec({Kind.MODEL: Mode.LEARN}, scopes=tokens.SCOPES)
_STORED = "SELECT count(*) FROM events WHERE tenant_id = $1"
_DIFFERENCES = "SELECT tenant_id, difference FROM reconciliation WHERE difference <> 0"
_DAYS = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'nocontent.events'::regclass"
_DISTRIBUTED = """
SELECT logicalrelid::text AS name, partmethod::text AS method, colocationid AS place FROM pg_dist_partition
WHERE logicalrelid IN ('events'::regclass, 'batches'::regclass, 'usage'::regclass, 'usage_marks'::regclass,
    'annotations'::regclass, 'vocabulary'::regclass, 'prices'::regclass, 'tenants'::regclass, 'ingest_tokens'::regclass,
    'control'::regclass, 'audit'::regclass, 'migrations'::regclass)
"""


@pytest.fixture(scope="module", params=list(engines.ENGINES))
def dsn(request: pytest.FixtureRequest, postgres: Cluster) -> Iterator[str]:
    with engines.migrated(request.param, postgres) as found:
        yield found


@pytest.fixture(scope="module")
def sending(dsn: str) -> list[Customer]:
    """Return tenants, of which the first may learn terms."""

    async def make(connection: connections.Connection) -> list[Customer]:
        return [
            await customers.add(connection, f"tenant-{number}", CustomerSpec() if number else LEARNING)
            for number in range(TENANTS)
        ]

    return customers.act(dsn, make)


@pytest.fixture(scope="module")
def server(dsn: str, sending: list[Customer], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    assert sending
    log: Path = tmp_path_factory.mktemp("serve") / "serve.log"
    with service.serving(dsn, log, retention_days=RETENTION_DAYS, maintain="false") as running:
        yield running


@pytest.fixture
def senders(server: Server, sending: list[Customer]) -> Iterator[list[Sender]]:
    made = [server.sender(customer.token) for customer in sending]
    yield made
    for sender in made:
        sender.close()


async def rolled_up(dsn: str) -> None:
    """Wait until no day has rows that are still to be summed: it would not be dropped yet."""
    async with connections.connected(dsn, "nocontent_biller") as connection:
        is_done = False
        while not is_done:
            with suppress(rollups.Conflict):  # With the job of the service.
                is_done = (await rollups.roll_up(connection)).is_done


def stored(dsn: str, customer: Customer) -> int:
    return int(cluster.fetch(dsn, _STORED, customer.tenant_id)[0]["count"])


async def test_migrating_again_changes_nothing(dsn: str) -> None:
    async with operator(dsn) as connection:
        assert await migrate.migrate(connection) == []
        assert await migrate.pending(connection) == []


async def test_the_lint_finds_nothing(dsn: str) -> None:
    async with operator(dsn) as connection:
        own = "SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus')"
        skipped = {"trigger"} if await connection.fetchval(own) else set()  # Citus has some of its own.
        found = {rule.id: await lint.offenders(connection, rule) for rule in lint.RULES if rule.id not in skipped}
    assert {offender for offenders in found.values() for offender in offenders} == set()


async def test_each_table_lives_where_it_should(dsn: str) -> None:
    async with operator(dsn) as connection:
        if await connection.fetchval("SELECT to_regclass('pg_catalog.pg_dist_partition')") is None:
            return  # A single node has them all.
        found = {row["name"]: (row["method"], row["place"]) for row in await connection.fetch(_DISTRIBUTED)}
    methods = {name: method for name, (method, _) in found.items()}
    beside = ["events", "batches", "usage", "usage_marks", "annotations"]
    assert methods == dict.fromkeys(beside, "h") | {"vocabulary": "n", "prices": "n"}
    assert len({found[name] for name in beside}) == 1


def test_what_is_sent_is_stored_once(dsn: str, senders: list[Sender], sending: list[Customer]) -> None:
    before = [stored(dsn, customer) for customer in sending]
    stream_id = sample.uuid7()
    for sender in senders:
        known = sample.event()
        numbered = sample.body(known, sample.event(), stream=sample.stream(0, stream_id))
        assert sender.post(numbered).json == {"accepted": 2, "duplicates": 0}
        assert sender.post(numbered).json == {"accepted": 2, "duplicates": 0, "replayed": True}
        assert sender.post(sample.body(known, sample.event())).json == {"accepted": 1, "duplicates": 1}
        reused = sender.post(sample.body(stream=sample.stream(0, stream_id)))
        assert (reused.status, reused.problem) == (409, "sequence-reused")
    assert [stored(dsn, customer) for customer in sending] == [count + 3 for count in before]
    assert cluster.fetch(dsn, _DIFFERENCES) == []


async def test_a_group_of_many_tenants_is_one_transaction(dsn: str) -> None:
    known = {tenant: sample.event() for tenant in range(11, 11 + TENANTS)}
    async with connections.connected(dsn, "nocontent_writer") as connection:
        first = [entry(event, tenant_id=tenant, sequence=0) for tenant, event in known.items()]
        assert await batches.store(connection, first) == [Receipt(1, 0)] * TENANTS
        mixed = [*reversed(first), *(entry(tenant_id=tenant) for tenant in known)]
        again = [Receipt(1, 0, replayed=True)] * TENANTS
        assert await batches.store(connection, mixed) == again + [Receipt(1, 0)] * TENANTS
        overlapping = [entry(event, sample.event(), tenant_id=tenant) for tenant, event in known.items()]
        with pytest.raises(asyncpg.UniqueViolationError):
            await batches.store(connection, overlapping)
        assert await batches.store_skipping(connection, overlapping) == [Receipt(1, 1)] * TENANTS
        (reused,) = await batches.store(connection, [entry(tenant_id=11, sequence=0)])
        assert isinstance(reused, SequenceReused)
    assert await asyncio.to_thread(cluster.fetch, dsn, _DIFFERENCES) == []


def test_what_is_taught_and_revoked_reaches_the_service(
    dsn: str, server: Server, senders: list[Sender], sending: list[Customer]
) -> None:
    model = "claude-opus-6"
    event = sample.event(routed_model=model)
    assert senders[0].post(sample.body(event)).status == 200
    query = "SELECT routed_model, tags FROM readable_events WHERE tenant_id = $1 AND event_id = $2"
    (row,) = cluster.fetch(dsn, query, sending[0].tenant_id, UUID(str(event["event_id"])))
    assert tuple(row.values()) == (model, '{"team": "search"}')

    second = customers.act(dsn, lambda connection: tokens.issue(connection, sending[1].tenant_id, tokens.SCOPES, None))
    sender = server.sender(second)
    wait_until(lambda: sender.get("/v1/policy").status == 200)
    revoke = partial(tokens.revoke, tenant_id=sending[1].tenant_id, token_id=second.split("_")[1])
    assert customers.act(dsn, revoke)
    wait_until(lambda: sender.get("/v1/policy").status == 401)
    sender.close()


async def test_each_view_answers_for_one_tenant_and_for_all(dsn: str, senders: list[Sender]) -> None:
    stream_id = sample.uuid7()
    for sequence in (0, 3):
        body = sample.body(stream=sample.stream(sequence, stream_id))
        assert (await asyncio.to_thread(senders[2].post, body)).status == 200
    state = await asyncio.to_thread(senders[2].get, f"/v1/streams/{stream_id}")
    assert (state.json["missing"], state.json["gaps"]) == (2, [{"first": 1, "last": 2}])
    async with operator(dsn) as connection:
        for view in ("readable_events", "streams", "stream_gaps", "reconciliation", "tag_names"):
            whole = await connection.fetchval(f"SELECT count(*) FROM {view}")
            (tenant,) = await connection.fetch(f"SELECT tenant_id, count(*) FROM {view} GROUP BY 1 ORDER BY 2 LIMIT 1")
            of_one = await connection.fetchval(f"SELECT count(*) FROM {view} WHERE tenant_id = $1", tenant["tenant_id"])
            assert 0 < of_one == tenant["count"] <= whole, view
    async with connections.connected(dsn, "nocontent_writer") as connection:
        assert await streams.missing_lately(connection) == await streams.missing_by_tenant(connection)


async def test_the_writer_reads_no_event(dsn: str) -> None:
    async with connections.connected(dsn, "nocontent_writer") as connection:
        for refused in ("SELECT input_tokens FROM events", "DELETE FROM events", "COPY events TO STDOUT"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(refused)


async def test_days_are_made_and_dropped_whole(dsn: str, senders: list[Sender], sending: list[Customer]) -> None:
    old = sample.event(event_id=sample.uuid7(sample.now_ms() - 3 * sample.DAY_MS + 60_000))
    answer = await asyncio.to_thread(senders[3].post, sample.body(old, sample.event()))
    assert answer.json == {"accepted": 2, "duplicates": 0}
    before = await asyncio.to_thread(stored, dsn, sending[3])
    async with operator(dsn) as connection:
        days = await connection.fetchval(_DAYS)
    await set_retention(dsn, RETENTION_DAYS - 2)
    await rolled_up(dsn)
    shorter = await maintenance.keep(dsn, RETENTION_DAYS)
    assert (shorter.dropped, shorter.postponed, shorter.failed) == (2, 0, 0)
    assert await asyncio.to_thread(stored, dsn, sending[3]) == before - 1
    await set_retention(dsn, RETENTION_DAYS)
    longer = await maintenance.keep(dsn, RETENTION_DAYS)
    assert (longer.created, longer.failed, longer.ahead_days) == (2, 0, 7)
    async with operator(dsn) as connection:
        assert await connection.fetchval(_DAYS) == days


async def test_an_expanded_table_serves_the_version_before(dsn: str, senders: list[Sender]) -> None:
    """The example of docs/operations.md: this version is the previous one, and does not know the column."""
    async with operator(dsn) as connection:
        await connection.execute("ALTER TABLE events ADD COLUMN region smallint NOT NULL DEFAULT 0")
        try:
            assert (await asyncio.to_thread(senders[4].post, sample.body())).status == 200
            await set_retention(dsn, RETENTION_DAYS + 1)
            assert (await maintenance.keep(dsn, RETENTION_DAYS)).failed == 0  # It creates a day.
            await migrate.require_current(connection)
        finally:
            await connection.execute("ALTER TABLE events DROP COLUMN region")
        assert (await asyncio.to_thread(senders[4].post, sample.body())).status == 200
        await set_retention(dsn, RETENTION_DAYS)
        assert (await maintenance.keep(dsn, RETENTION_DAYS)).failed == 0
