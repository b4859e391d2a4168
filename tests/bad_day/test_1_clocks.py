"""Wrong clocks: at most one day is dropped at a time, and no good batch is lost."""

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ingest.knowledge.clock import OFFSET_S_MAX, STEP_DOUBT_S, Clock
from ingest.store import connections, tokens
from schema.limits import AHEAD_MS_MAX
from tests.support import cluster, customers, direct, faketime, sample, service
from tests.support.cluster import Cluster
from tests.support.customers import Customer, CustomerSpec
from tests.support.direct import Worker

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY_S = 86_400
needs_faketime = pytest.mark.skipif(faketime.LIBRARY is None, reason=faketime.MISSING)


class Machine:
    """A node whose clocks a test sets."""

    def __init__(self) -> None:
        self.wall_s = NOW.timestamp()
        self.elapsed_s = 1_000.0
        self.clock = Clock(lambda: self.wall_s, lambda: self.elapsed_s)

    def read(self, database: datetime, round_trip_s: float = 0.0) -> None:
        asked = self.clock.moment()
        self.wall_s += round_trip_s
        self.elapsed_s += round_trip_s
        self.clock.take(database, asked)

    def wait(self, seconds: float) -> None:
        self.wall_s += seconds
        self.elapsed_s += seconds


def test_the_time_is_that_of_postgresql_and_goes_on_between_two_readings() -> None:
    machine = Machine()
    machine.read(NOW + timedelta(seconds=20))
    machine.wait(0.5)
    assert machine.clock.now() == NOW + timedelta(seconds=20.5)
    assert machine.clock.offset_s == pytest.approx(-20)
    assert not machine.clock.is_adrift


@pytest.mark.parametrize("offset_s", [-45 * DAY_S, -600, -61, 61, 600, 45 * DAY_S])
def test_two_clocks_that_disagree_are_adrift_and_the_node_s_decides_nothing(offset_s: int) -> None:
    machine = Machine()
    machine.wall_s += offset_s
    machine.read(NOW)
    assert machine.clock.is_adrift
    assert machine.clock.now() == NOW
    assert machine.clock.offset_s == pytest.approx(offset_s)


@pytest.mark.parametrize("offset_s", [-59, 0, 59])
def test_two_clocks_that_nearly_agree_are_not_adrift(offset_s: int) -> None:
    machine = Machine()
    machine.wall_s += offset_s
    machine.read(NOW)
    assert not machine.clock.is_adrift
    assert not machine.clock.is_doubtful


def test_a_slow_answer_is_not_held_against_a_clock() -> None:
    machine = Machine()
    machine.read(NOW + timedelta(seconds=OFFSET_S_MAX + 8), round_trip_s=10)
    assert not machine.clock.is_adrift  # It may have been read at the end of the ten seconds.
    machine.read(NOW + timedelta(seconds=OFFSET_S_MAX + 28), round_trip_s=10)
    assert machine.clock.is_adrift


@pytest.mark.parametrize("step_s", [-45 * DAY_S, -600, 600, 45 * DAY_S])
def test_a_step_of_both_clocks_at_once_is_in_doubt_for_a_while(step_s: int) -> None:
    machine = Machine()
    machine.read(NOW)
    machine.wait(1)
    machine.wall_s += step_s
    shown = [machine.clock.is_adrift]  # Until PostgreSQL's clock shows the same.
    machine.read(NOW + timedelta(seconds=1 + step_s))
    assert [*shown, machine.clock.is_adrift] == [True, False]
    assert machine.clock.is_doubtful
    machine.wait(STEP_DOUBT_S)
    assert not machine.clock.is_doubtful


def test_a_step_of_postgresql_alone_is_adrift() -> None:
    machine = Machine()
    machine.read(NOW)
    machine.wait(1)
    machine.read(NOW - timedelta(minutes=10))  # A standby with a slow clock was promoted.
    assert machine.clock.is_adrift
    assert machine.clock.is_doubtful


def test_a_machine_that_slept_doubts_until_it_has_read_the_time_anew() -> None:
    machine = Machine()
    machine.read(NOW)
    machine.wall_s += 3_600  # Its monotonic clock stood still, and the wall clock was set when it woke.
    assert machine.clock.is_doubtful
    machine.read(NOW + timedelta(hours=1))
    assert not machine.clock.is_adrift
    assert machine.clock.now() == NOW + timedelta(hours=1)


def test_small_steps_of_ntp_are_no_news() -> None:
    machine = Machine()
    chance = random.Random(7)
    for second in range(500):
        machine.read(NOW + timedelta(seconds=second + chance.uniform(-5, 5)))
        assert not machine.clock.is_doubtful
        machine.wait(1)


# A worker in this process, whose wall clock is passed in.


@pytest.fixture(scope="module")
def customer(shared_database: str) -> Customer:
    return customers.act(shared_database, lambda connection: customers.add(connection, "adrift", CustomerSpec()))


@pytest.fixture
async def worker(shared_database: str, customer: Customer) -> AsyncIterator[Worker]:
    assert customer
    async with direct.working(shared_database) as started:
        yield started


def at(offset_s: float) -> bytes:
    return sample.body(sample.event(event_id=sample.uuid7(sample.now_ms() + int(offset_s * 1000))))


OLD, FUTURE = -31 * DAY_S, AHEAD_MS_MAX / 1000 + 60


def displace(worker: Worker, offset_s: float) -> None:
    """Set the node's wall clock wrong; its time as read from PostgreSQL stays."""
    worker.service.snapshot.clock._wall_s = lambda: faketime.wrong_wall_s(offset_s)  # noqa: SLF001 (to pass it in)


@pytest.mark.parametrize("offset_s", [-45 * DAY_S, -600, 600, 45 * DAY_S])
async def test_a_node_whose_clock_is_off_is_not_ready_and_refuses_nothing_for_time(
    worker: Worker, customer: Customer, offset_s: int
) -> None:
    displace(worker, offset_s)
    ready = await worker.get("/readyz")
    assert (ready.status, ready.json["failing"]) == (503, ["clock"])
    assert (await worker.post(at(0), customer.token)).status == 200  # By PostgreSQL's time the event is current.
    for body in (at(OLD), at(FUTURE)):
        answer = await worker.post(body, customer.token)
        assert (answer.status, answer.problem, answer.headers["retry-after"]) == (503, "clock-adrift", "10")


async def test_what_is_wrong_for_another_reason_is_refused_without_the_time(worker: Worker, customer: Customer) -> None:
    displace(worker, -600)
    wrong = sample.event(event_id=sample.uuid7(sample.now_ms() + 3_600_000), prompt="hello")
    answer = await worker.post(sample.body(wrong), customer.token)
    assert answer.status == 422
    assert "content.prompt" in answer.rules
    assert not any(rule.startswith("time.") for rule in answer.rules)


async def test_with_clocks_that_agree_time_refuses_as_before(worker: Worker, customer: Customer) -> None:
    for body, rule in ((at(OLD), "time.too-old"), (at(FUTURE), "time.in-future")):
        answer = await worker.post(body, customer.token)
        assert (answer.status, answer.rules) == (422, [rule])


async def test_a_stream_id_of_another_time_is_no_reason_either(worker: Worker, customer: Customer) -> None:
    stream = sample.stream(0, sample.uuid7(sample.now_ms() + 3_600_000))
    assert (await worker.post(sample.body(stream=stream), customer.token)).status == 422
    displace(worker, 600)
    assert (await worker.post(sample.body(stream=stream), customer.token)).problem == "clock-adrift"


async def test_a_machine_that_slept_asks_for_the_time_before_it_refuses(worker: Worker, customer: Customer) -> None:
    """Its monotonic clock stood still for an hour, so current events seem to be ahead."""
    clock = worker.service.snapshot.clock
    clock._elapsed_s = lambda: time.monotonic() + 3_600  # noqa: SLF001 (to pass it in)
    await asyncio.sleep(1.2)  # A refresh reads the time by that clock.
    clock._elapsed_s = time.monotonic  # noqa: SLF001 (back: as if it had stood still for an hour)
    assert worker.service.snapshot.clock.now() < datetime.now(UTC) - timedelta(minutes=50)
    answer = await worker.post(at(0), customer.token)
    assert answer.status in {200, 503}
    assert answer.status == 200 or answer.problem == "clock-adrift"
    assert (await worker.post(at(0), customer.token)).status == 200


async def test_a_token_that_may_have_expired_is_not_refused_for_good(
    shared_database: str, worker: Worker, customer: Customer
) -> None:
    async def issue() -> str:
        async with connections.connected(shared_database, "nocontent_control") as connection:
            return await tokens.issue(connection, customer.tenant_id, tokens.SCOPES, timedelta(0))

    expired = await issue()
    await asyncio.sleep(1.2)  # Workers follow within a second.
    assert (await worker.post(at(0), expired)).problem == "expired-token"
    displace(worker, 45 * DAY_S)
    answer = await worker.post(at(0), expired)
    assert (answer.status, answer.problem) == (503, "clock-adrift")
    assert (await worker.post(at(0), customer.token)).status == 200  # By the node's clock alone nothing has expired.


# The same with a whole service under faketime.


@needs_faketime
@pytest.mark.parametrize("offset_s", [-600, 45 * DAY_S], ids=["10 minutes slow", "45 days ahead"])
def test_a_service_whose_clock_is_off_keeps_every_row_and_every_batch(
    postgres: Cluster, tmp_path: Path, offset_s: int
) -> None:
    dsn = postgres.migrated()
    customer = customers.act(dsn, lambda connection: customers.add(connection, "main", CustomerSpec()))
    cluster.run(dsn, f"INSERT INTO events SELECT now() - interval '29 days', gen_random_uuid(), {'0, ' * 20}0")
    days = _days(dsn)
    with service.serving(dsn, tmp_path / "log", workers=1, variables=faketime.environment(offset_s)) as server:
        sender = server.sender(customer.token)
        service.wait_until(lambda: _maintained(tmp_path / "log"), (tmp_path / "log").read_text)
        ready = sender.get("/readyz")
        assert (ready.status, ready.json["failing"]) == (503, ["clock"])
        assert sender.post(at(0)).status == 200
        for body in (at(OLD), at(FUTURE)):
            assert (sender.post(body).status, sender.post(body).problem) == (503, "clock-adrift")
        sender.close()
    assert _days(dsn) == days
    (row,) = cluster.fetch(dsn, "SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM batches)")
    assert tuple(row.values()) == (2, 1)
    postgres.drop(dsn)


def _days(dsn: str) -> list[str]:
    query = "SELECT relname FROM pg_class WHERE relname ~ '^events_[0-9]{8}$' AND relkind = 'r' ORDER BY relname"
    return [row["relname"] for row in cluster.fetch(dsn, query)]


def _maintained(log: Path) -> bool:
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    return {"retention-withheld", "clock-adrift"} <= {line["event"] for line in lines}
