"""Restoring a base backup and the archived log after losing the server: what is stored, and up to when."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest

from ingest.store import batches, connections, maintenance, migrate, tokens
from schema.receipt import Receipt
from tests.faults.backup import Archive
from tests.faults.test_failover import ENOUGH, Clients
from tests.support import cluster, customers, sample, service
from tests.support.cluster import Cluster
from tests.support.customers import Customer
from tests.support.entries import entry
from tests.support.wire import Sender

RETENTION_DAYS = 5
PATIENCE_S = 1.0
_STORED = "SELECT event_id FROM events"
_NOW = "SELECT clock_timestamp() AS now"
_DIFFERENCES = "SELECT tenant_id, accepted, stored, difference FROM reconciliation"
_OLDEST = "SELECT min(occurred_at)::date AS day FROM events"


@dataclass
class Loss:
    """The history before the loss of the server, and its archive."""

    archive: Archive
    customer: Customer
    leaver: Customer  # Whose token was revoked after the moment.
    acknowledged: set[str]
    archived: set[str]  # Acknowledged before the last segment was closed.
    moment: datetime
    before_the_moment: set[str]
    numbered: list[bytes]  # The batches of a stream: five before the moment, five after it.
    stream_id: str


@pytest.fixture(scope="module")
def loss(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loss]:
    with cluster.open_folder() as opened:
        archive = Archive(opened)
        with archive.archived() as server:
            asyncio.run(cluster.make_tables(server.dsn, RETENTION_DAYS))
            customer, leaver = (customers.one(server.dsn, name) for name in ("main", "leaver"))
            log = tmp_path_factory.mktemp("serve") / "log"
            with service.serving(server.dsn, log, maintain="false", retention_days=RETENTION_DAYS) as serving:
                clients = Clients(serving.bind, customer.token)
                clients.reach(ENOUGH)
                archive.take_base(server)
                clients.reach(ENOUGH)
                stream_id = sample.uuid7()
                old = sample.event(event_id=sample.uuid7(sample.now_ms() - 4 * sample.DAY_MS))
                numbered = _send(serving.sender(leaver.token), stream_id, range(5), old)
                before = set(clients.acknowledged)
                (row,) = cluster.fetch(server.dsn, _NOW)
                time.sleep(0.01)  # An event id has milliseconds.
                numbered += _send(serving.sender(leaver.token), stream_id, range(5, 10), sample.event())
                _shorten(server.dsn)
                token_id = leaver.token.split("_")[1]
                revoke = partial(tokens.revoke, tenant_id=leaver.tenant_id, token_id=token_id)
                assert customers.act(server.dsn, revoke)
                clients.reach(ENOUGH)
                archived = set(clients.acknowledged)
                archive.switch(server)
                clients.reach(ENOUGH)
                clients.stop()
        yield Loss(
            archive, customer, leaver, set(clients.acknowledged), archived, row["now"], before, numbered, stream_id
        )


def _shorten(dsn: str) -> int:
    """Set the retention to one day, and return how many days are dropped."""
    asyncio.run(cluster.set_retention(dsn, 1))
    return asyncio.run(maintenance.keep(dsn, 1)).dropped


def _send(sender: Sender, stream_id: str, sequences: range, first: dict[str, object]) -> list[bytes]:
    """Send numbered batches; `first` is in the first of them."""
    bodies = []
    for sequence in sequences:
        events = [first] if sequence == sequences.start else []
        bodies.append(sample.body(*events, sample.event(), stream=sample.stream(sequence, stream_id)))
        assert sender.post(bodies[-1]).status == 200
    sender.close()
    return bodies


def _stored(dsn: str) -> list[str]:
    return [str(row["event_id"]) for row in cluster.fetch(dsn, _STORED)]


def test_every_event_acknowledged_before_the_last_archived_segment_is_restored_once(loss: Loss) -> None:
    with loss.archive.restored("whole") as server:
        stored = _stored(server.dsn)
        sums = {row["tenant_id"]: row for row in cluster.fetch(server.dsn, _DIFFERENCES)}
    assert len(stored) == len(set(stored))
    assert loss.archived <= set(stored)
    # The control: later batches were acknowledged and are lost, as docs/backup.md says.
    lost = loss.acknowledged - set(stored)
    assert lost
    assert lost <= loss.acknowledged - loss.archived
    assert sums[loss.customer.tenant_id]["difference"] == 0
    assert sums[loss.customer.tenant_id]["stored"] == len(set(stored) & loss.acknowledged)
    print(f"{len(loss.archived)} acknowledged before, {len(lost)} lost of those after")  # noqa: T201 - Shown by -s.


def test_a_restore_to_a_moment_has_what_was_acknowledged_before_and_nothing_of_after(
    loss: Loss, tmp_path: Path
) -> None:
    with loss.archive.restored("moment", loss.moment) as server:
        stored = _stored(server.dsn)
        assert loss.before_the_moment <= set(stored)
        moment_ms = loss.moment.timestamp() * 1_000
        assert max(UUID(event_id).int >> 80 for event_id in stored) <= moment_ms
        assert {row["difference"] for row in cluster.fetch(server.dsn, _DIFFERENCES)} == {0}
        # The restore undid a shorter retention and its dropped days, until somebody shortens it again.
        (before,) = cluster.fetch(server.dsn, _OLDEST)
        assert asyncio.run(maintenance.keep(server.dsn, 1)).dropped == 0
        assert _shorten(server.dsn) == RETENTION_DAYS - 1
        (after,) = cluster.fetch(server.dsn, _OLDEST)
        assert before["day"] < after["day"]
        with service.serving(server.dsn, tmp_path / "log", workers=1, maintain="false") as serving:
            _continue(serving.sender(loss.leaver.token), loss)


def test_a_log_that_commits_wait_for_has_every_acknowledged_event(tmp_path: Path) -> None:
    with cluster.open_folder() as opened:
        archive = Archive(opened)
        with archive.received() as server:
            asyncio.run(cluster.make_tables(server.dsn, RETENTION_DAYS))
            customer = customers.one(server.dsn)
            with service.serving(server.dsn, tmp_path / "log", workers=1, maintain="false") as serving:
                archive.hold_commits(server)
                clients = Clients(serving.bind, customer.token)
                archive.take_base(server)
                clients.reach(ENOUGH)
                clients.stop()
            archive.freeze_receiver()
            assert not asyncio.run(_is_acknowledged(server.dsn))
        with archive.restored("whole") as server:
            stored = _stored(server.dsn)
    assert sorted(stored) == sorted(clients.acknowledged)


async def _is_acknowledged(dsn: str) -> bool:
    connection = await connections.connect(dsn, "nocontent_writer")
    try:
        async with asyncio.timeout(PATIENCE_S):
            await batches.store(connection, [entry()])
    except TimeoutError:
        return False
    finally:
        connection.terminate()
    return True


async def test_a_dump_in_another_database_adds_up_and_goes_on(postgres: Cluster, database: str) -> None:
    kept = [entry(sample.event(), sample.event(), sequence=number) for number in range(3)]
    async with connections.connected(database, "nocontent_writer") as connection:
        await batches.store(connection, kept)
    other = await asyncio.to_thread(postgres.empty)
    with cluster.open_folder() as opened:
        await asyncio.to_thread(Archive(opened).take_dump, database, other)
    async with cluster.operator(other) as connection:
        assert await migrate.migrate(connection) == []
        (sums,) = await connection.fetch(_DIFFERENCES)
    assert tuple(sums.values()) == (1, 6, 6, 0)
    async with connections.connected(other, "nocontent_writer") as connection:
        assert await batches.store(connection, kept) == [Receipt(2, 0, replayed=True)] * 3
    await asyncio.to_thread(postgres.drop, other)


def _continue(sender: Sender, loss: Loss) -> None:
    """Continue a stream as its proxy would, without knowing of the restore."""
    answer = sender.post(sample.body(stream=sample.stream(10, loss.stream_id)))
    assert answer.status == 200  # By a token that was revoked after the moment.
    state = sender.get(f"/v1/streams/{loss.stream_id}").json
    assert (state["missing"], state["gaps"]) == (5, [{"first": 5, "last": 9}])
    for body in loss.numbered[1:5]:
        assert sender.post(body).json == {"accepted": 1, "duplicates": 0, "replayed": True}
    for body in loss.numbered[5:]:
        assert "replayed" not in sender.post(body).json
    assert sender.get(f"/v1/streams/{loss.stream_id}").json["missing"] == 0
    sender.close()
