"""Metrics and readiness that warn an operator before something fails."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from prometheus_client import REGISTRY
from starlette.applications import Starlette
from starlette.types import Message

from ingest.intake import app
from ingest.intake.service import Service
from ingest.intake.settings import IntakeSettings
from ingest.intake.watch import PARTITIONS_LOW_DAYS, Watch
from ingest.store import connections, maintenance, vocabulary
from ingest.store.partitions import AHEAD_DAYS, partition_name
from schema.event import Kind
from schema.learning import Candidate
from schema.limits import LEARN_PER_DAY_MAX, LEARN_TOTAL_MAX
from schema.vocabulary import Mode
from tests.support import cluster, customers
from tests.support.cluster import operator
from tests.support.customers import CustomerSpec
from tests.support.service import Logged

TODAY = datetime.now(UTC).date()


async def leave(dsn: str, ahead_days: int) -> None:
    """Drop the days after these; -1 drops today's too."""
    async with operator(dsn) as connection:
        for days in range(ahead_days + 1, AHEAD_DAYS + 1):
            await connection.execute(f"DROP TABLE {partition_name(TODAY + timedelta(days))}")


@asynccontextmanager
async def application(dsn: str) -> AsyncIterator[Starlette]:
    """Start the application of a worker that does not maintain."""
    composed = app.create()
    service = Service(IntakeSettings(dsn=dsn, maintain=False), composed.state.quotas, composed.state.tasks)
    composed.state.service = service
    await service.start()
    try:
        yield composed
    finally:
        await service.stop()


async def readiness(composed: Starlette) -> tuple[int, bytes]:
    """Request `/readyz` without a socket."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope: dict[str, object] = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "path": "/readyz",
        "headers": [],
        "query_string": b"",
        "state": {},
    }
    await composed(scope, receive, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent)


@pytest.mark.parametrize(
    ("ahead_days", "says"),
    [
        (0, b"ok\npartitions: 0 days ahead\n"),
        (1, b"ok\npartitions: 1 day ahead\n"),
        (PARTITIONS_LOW_DAYS - 1, b"ok\npartitions: 2 days ahead\n"),
        (PARTITIONS_LOW_DAYS, b"ok\n"),
    ],
)
async def test_a_worker_with_few_days_ahead_is_ready_and_says_so(database: str, ahead_days: int, says: bytes) -> None:
    await leave(database, ahead_days)
    async with application(database) as composed:
        assert await readiness(composed) == (200, says)


async def test_a_worker_without_a_partition_for_today_is_not_ready(database: str) -> None:
    await leave(database, -1)
    async with application(database) as composed:
        status, body = await readiness(composed)
    assert (status, orjson.loads(body)["failing"]) == (503, ["partitions"])


@pytest.mark.parametrize("ahead_days", [-1, 0, PARTITIONS_LOW_DAYS - 1])
async def test_few_days_ahead_are_logged_and_told(database: str, logged: Logged, ahead_days: int) -> None:
    await leave(database, ahead_days)
    async with connections.connected(database, "nocontent_writer") as connection:
        await Watch().look(connection)
    (line,) = logged()
    assert (line["level"], line["event"], line["count"]) == ("warning", "partitions-low", ahead_days)
    assert REGISTRY.get_sample_value("ingest_partitions_ahead_days") == ahead_days


async def test_enough_days_ahead_are_no_news(database: str, logged: Logged) -> None:
    async with connections.connected(database, "nocontent_writer") as connection:
        await Watch().look(connection)
    assert logged() == []


async def test_it_looks_once_in_a_while_however_often_it_is_asked(database: str) -> None:
    watch = Watch()
    async with connections.connected(database, "nocontent_writer") as connection:
        await watch.look(connection)
        await leave(database, 0)
        await watch.look(connection)
        assert watch.partitions_ahead_days == AHEAD_DAYS
        await Watch().look(connection)
        assert REGISTRY.get_sample_value("ingest_partitions_ahead_days") == 0


async def test_a_ledger_that_nobody_can_read_does_not_hold_up_what_else_is_looked_at(database: str) -> None:
    watch = Watch()
    async with operator(database) as other, connections.connected(database, "nocontent_writer") as connection:
        async with other.transaction():
            await other.execute("LOCK TABLE batches IN ACCESS EXCLUSIVE MODE")
            await watch.look(connection)
        assert await connection.fetchval("SELECT 1") == 1
    assert watch.partitions_ahead_days == AHEAD_DAYS
    assert REGISTRY.get_sample_value("ingest_stream_missing_sequences") == -1


async def test_what_is_low_is_mended_by_a_round_of_maintenance(database: str) -> None:
    await leave(database, 0)
    assert (await maintenance.keep(database, cluster.RETENTION_DAYS)).created == AHEAD_DAYS
    watch = Watch()
    async with connections.connected(database, "nocontent_writer") as connection:
        await watch.look(connection)
    assert not watch.are_partitions_low


def budget_left(budget: str, kind: Kind) -> float | None:
    return REGISTRY.get_sample_value("ingest_vocabulary_budget_left", {"budget": budget, "kind": kind.name.lower()})


def models(count: int) -> set[Candidate]:
    return {Candidate(Kind.MODEL, 0, f"gpt-5-2027-01-{number:02}") for number in range(1, count + 1)}


async def test_the_budget_left_is_that_of_the_tenant_that_has_used_most(database: str) -> None:
    learns = CustomerSpec({Kind.MODEL: Mode.LEARN})
    async with connections.connected(database, "nocontent_control") as connection:
        spender, saver, former = [await customers.add(connection, name, learns) for name in ("a", "b", "c")]
    async with connections.connected(database, "nocontent_writer") as connection:
        await vocabulary.learn(connection, spender.tenant_id, models(7))
        await vocabulary.learn(connection, saver.tenant_id, models(3))
        await vocabulary.learn(connection, former.tenant_id, models(30))
        async with operator(database) as other:
            # Learned on another day, so spent for ever and not for today; and a tenant that no longer learns.
            await other.execute(f"UPDATE vocabulary SET created_at = '2020-01-01' WHERE tenant_id = {saver.tenant_id}")
            await other.execute(f"UPDATE tenants SET model_mode = 0 WHERE tenant_id = {former.tenant_id}")
        await Watch().look(connection)
    assert budget_left("daily", Kind.MODEL) == LEARN_PER_DAY_MAX - 7
    assert budget_left("total", Kind.MODEL) == LEARN_TOTAL_MAX - 7


async def test_the_budget_is_whole_where_nobody_learns(database: str) -> None:
    async with connections.connected(database, "nocontent_writer") as connection:
        await Watch().look(connection)
    assert budget_left("daily", Kind.PROVIDER) == LEARN_PER_DAY_MAX
    assert budget_left("total", Kind.PROVIDER) == 384  # The tenant's share of its ids.


async def test_ids_that_an_operator_has_used_are_not_left_to_traffic(database: str) -> None:
    async with connections.connected(database, "nocontent_control") as connection:
        tenant = await customers.add(connection, "a", CustomerSpec({Kind.PROVIDER: Mode.LEARN}))
        for number in range(356):
            await vocabulary.add(connection, tenant.tenant_id, Candidate(Kind.PROVIDER, 0, f"acme-{number}"))
    async with connections.connected(database, "nocontent_writer") as connection:
        await Watch().look(connection)
    assert (budget_left("daily", Kind.PROVIDER), budget_left("total", Kind.PROVIDER)) == (28, 28)
