"""Fail-over keeps acknowledged events with synchronous replication, and may lose them without."""

import asyncio
import contextlib
import itertools
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from ingest.errors import Unavailable
from ingest.store import batches, errors, rows
from ingest.store.batches import Entry
from schema.receipt import Receipt
from tests.faults import pair
from tests.faults.pair import Pair
from tests.support import cluster, customers, postmaster, sample, service
from tests.support.customers import Customer
from tests.support.entries import acknowledged, entry, outcome, writing
from tests.support.reporter import BATCH_EVENTS, Reporter
from tests.support.service import wait_until
from tests.support.wire import Answer, Sender

RUNS = int(os.environ.get("FAILOVER_RUNS", "1"))
SENDERS = 6
ENOUGH = 1_000  # Events acknowledged before and after each turn.
WAIT_S = 30.0
_STORED = "SELECT event_id FROM events"
_WAITING = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'"


class Clients:
    """Reporters that send each batch until it is acknowledged; half of them number their batches."""

    def __init__(self, bind: str, token: str) -> None:
        self._reporters = [Reporter(Sender(bind, token), is_numbered=number % 2 == 1) for number in range(SENDERS)]
        for reporter in self._reporters:
            reporter.start()

    @property
    def acknowledged(self) -> list[str]:
        return [event_id for reporter in self._reporters for event_id in reporter.stored]

    @property
    def refused(self) -> list[Answer]:
        return [answer for reporter in self._reporters for answer in reporter.refusals]

    def reach(self, more: int) -> None:
        """Wait until a number of further events are acknowledged."""
        wanted = len(self.acknowledged) + more
        wait_until(lambda: len(self.acknowledged) >= wanted, self.describe)

    def stop(self) -> None:
        """Wait until every sender has finished its current batch."""
        for reporter in self._reporters:
            reporter.ending.set()
        for reporter in self._reporters:
            reporter.join(WAIT_S)
            assert not reporter.is_alive(), self.describe()

    def pause_s(self) -> float:
        """Return the longest time between two acknowledgements."""
        moments = sorted(moment for reporter in self._reporters for moment in reporter.stored_at)
        return max(after - before for before, after in itertools.pairwise(moments))

    def describe(self) -> str:
        return f"{len(self.acknowledged)} acknowledged, refused: {[answer.body for answer in self.refused[-3:]]}"


@contextlib.contextmanager
def loaded(servers: Pair, log: Path) -> Iterator[Clients]:
    """Serve from a pair and send; the service survives everything, and its responses are only 200 and 503."""
    customer = customers.one(servers.dsn)
    with service.serving(servers.dsn, log) as server:
        clients = Clients(server.bind, customer.token)
        try:
            clients.reach(ENOUGH)
            yield clients
        finally:
            clients.stop()
        assert len(server.workers()) == server.worker_count
    assert {answer.status for answer in clients.refused} <= {503}
    assert {answer.problem for answer in clients.refused} <= {"unavailable", "outcome-unknown"}
    assert '"event":"bug"' not in log.read_text()


@pytest.mark.parametrize("run", range(RUNS))
def test_no_acknowledged_event_is_lost_when_the_primary_dies(run: int, tmp_path: Path) -> None:
    with pair.started() as servers:
        servers.synchronise()
        with loaded(servers, tmp_path / "log") as clients:
            time.sleep(random.random() / 2)  # Any instant will do.
            servers.kill_primary()
            servers.promote()
            clients.reach(ENOUGH)
        stored = [str(row["event_id"]) for row in cluster.fetch(servers.dsn, _STORED)]
    assert sorted(stored) == sorted(clients.acknowledged)
    print(f"run {run}: 0 of {len(stored)} lost, {clients.pause_s():.2f} s without a 200")  # noqa: T201 - Shown by -s.


def test_without_synchronous_replication_a_lagging_standby_loses_acknowledged_events(tmp_path: Path) -> None:
    with pair.started() as servers, loaded(servers, tmp_path / "log") as clients:
        servers.detach()
        clients.reach(ENOUGH)
        servers.kill_primary()
        servers.promote()
        clients.reach(ENOUGH)
        clients.stop()
        stored = {str(row["event_id"]) for row in cluster.fetch(servers.dsn, _STORED)}
    lost = set(clients.acknowledged) - stored
    assert len(lost) >= ENOUGH - SENDERS * BATCH_EVENTS
    print(f"asynchronous: {len(lost)} of {len(clients.acknowledged)} lost")  # noqa: T201 - Shown by -s.


@pytest.fixture(scope="module")
def shared() -> Iterator[Pair]:
    with pair.started() as servers:
        servers.synchronise()
        yield servers


@pytest.fixture
def servers(shared: Pair) -> Iterator[Pair]:
    yield shared
    shared.attach()


@pytest.fixture(scope="module")
def customer(shared: Pair) -> Customer:
    made = customers.one(shared.dsn)
    wait_until(lambda: bool(cluster.fetch(shared.standby.dsn, "SELECT token_id FROM ingest_tokens")))
    return made


def _numbered(*events: dict[str, object]) -> Entry:
    return entry(*events, sequence=0, stream_id=uuid4())


async def until(holds: Callable[[], bool]) -> None:
    await asyncio.to_thread(wait_until, holds)


def waiting(servers: Pair) -> list[int]:
    """Return the backends whose COMMIT waits for the standby."""
    return [row["pid"] for row in cluster.fetch(servers.primary.dsn, _WAITING)]


def has(dsn: str, entries: list[Entry]) -> bool:
    """Return whether a server has these events, if it responds."""
    wanted = {event_id for entry in entries for event_id in rows.event_ids(entry.rows)}
    with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return wanted <= {row["event_id"] for row in cluster.fetch(dsn, _STORED)}
    return False


# SIGKILL makes the primary go through crash recovery; the others are pg_cancel_backend and pg_terminate_backend.
@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=["cancel", "terminate", "crash"]
)
async def test_what_the_primary_has_and_the_standby_has_not_is_not_acknowledged(
    servers: Pair, number: signal.Signals
) -> None:
    known = sample.event()
    first = [_numbered(), entry(), entry(known)]
    again = [first[0], first[1], _numbered(known)]
    async with writing(servers.dsn) as queue:
        await acknowledged(queue, entry())
        await asyncio.to_thread(servers.detach)
        group = [queue.put(each) for each in first]
        await until(lambda: bool(waiting(servers)))
        postmaster.send_signal(await asyncio.to_thread(waiting, servers), number)
        assert [type(await outcome(each)) for each in group] == [errors.OutcomeUnknown] * 3
    await until(lambda: has(servers.primary.dsn, first))
    async with contextlib.AsyncExitStack() as writers, asyncio.TaskGroup() as senders:
        queues = [await writers.enter_async_context(writing(servers.dsn)) for _ in again]
        retries = [senders.create_task(acknowledged(*each)) for each in zip(queues, again, strict=True)]
        await until(lambda: len(waiting(servers)) == 3 or any(retry.done() for retry in retries))
        was_acknowledged = [retry.done() for retry in retries]
        was_on_standby = await asyncio.to_thread(has, servers.standby.dsn, first[:1])
        await asyncio.to_thread(servers.attach)
    assert (was_acknowledged, was_on_standby) == ([False] * 3, False)
    assert [retry.result() for retry in retries] == [Receipt(1, 0, replayed=True), Receipt(0, 1), Receipt(0, 1)]
    await until(lambda: has(servers.standby.dsn, first))


async def test_a_commit_that_waits_too_long_is_given_up_and_so_is_its_retry(
    servers: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "COMMIT_TIMEOUT_S", 3.0)
    stuck = _numbered()
    async with writing(servers.dsn) as queue:
        await acknowledged(queue, entry())
        await asyncio.to_thread(servers.detach)
        assert isinstance(await outcome(queue.put(stuck)), errors.OutcomeUnknown)
        assert isinstance(await outcome(queue.put(stuck)), errors.OutcomeUnknown | Unavailable)
        await until(lambda: not waiting(servers))  # Or their backends would add up to max_connections.
        await asyncio.to_thread(servers.attach)
        assert (await acknowledged(queue, stuck)).accepted == 1
    await until(lambda: has(servers.standby.dsn, [stuck]))


def test_a_standby_is_not_written_to(servers: Pair, customer: Customer, tmp_path: Path) -> None:
    with (
        service.serving(servers.standby.dsn, tmp_path / "log", workers=1) as server,
        contextlib.closing(server.sender(customer.token)) as sender,
    ):
        answer = sender.post(sample.body())
        assert (answer.status, answer.problem) == (503, "unavailable")
        assert answer.headers["retry-after"]


def test_a_primary_that_was_made_read_only_is_not_written_to(servers: Pair, customer: Customer, tmp_path: Path) -> None:
    with (
        service.serving(servers.dsn, tmp_path / "log", workers=1) as server,
        contextlib.closing(server.sender(customer.token)) as sender,
    ):
        assert sender.post(sample.body()).status == 200
        pair.configure(servers.primary, "default_transaction_read_only", "on")
        wait_until(lambda: sender.post(sample.body()).status != 200)
        before = cluster.fetch(servers.primary.dsn, _STORED)
        answer = sender.post(sample.body())
        assert (answer.status, answer.problem) == (503, "unavailable")
        assert cluster.fetch(servers.primary.dsn, _STORED) == before
        pair.configure(servers.primary, "default_transaction_read_only", "off")
        wait_until(lambda: sender.post(sample.body()).status == 200)


def test_a_primary_that_was_passed_over_acknowledges_nothing() -> None:
    with pair.started() as servers:
        servers.synchronise()
        asyncio.run(_pass_over(servers))


async def _pass_over(servers: Pair) -> None:
    sent = _numbered()
    async with writing(servers.dsn) as queue:
        await acknowledged(queue, entry())
        await asyncio.to_thread(servers.promote)
        stuck = queue.put(sent)
        await until(lambda: bool(waiting(servers)) or stuck.done())
        assert not stuck.done()
        await asyncio.to_thread(servers.kill_primary)
        assert isinstance(await outcome(stuck), errors.OutcomeUnknown)
        assert await acknowledged(queue, sent) == Receipt(1, 0)
    await until(lambda: has(servers.standby.dsn, [sent]))
