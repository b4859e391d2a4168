"""Reconciliation: a proxy's counts against the tables, with the SQL of docs/tables.md."""

import asyncio
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from ingest.store import connections
from tests.intake.test_metrics import scrape
from tests.support import cluster, customers, sample, service
from tests.support.cluster import Cluster
from tests.support.customers import Customer, CustomerSpec
from tests.support.service import ROOT, Server
from tests.support.wire import Sender

_SECTION = (ROOT / "docs" / "tables.md").read_text("utf-8").partition("\n## Does it add up?\n")[2]
_STREAM, _GAPS, _TENANT = re.findall(r"```sql\n(.*?);\n```", _SECTION.partition("\n## ")[0], re.DOTALL)
_ROW = "INSERT INTO events SELECT now(), gen_random_uuid(), 0, 0, {}, " + ", ".join(["0"] * 18)


class Proxy:
    """A proxy that counts the outcomes of its events and numbers its batches."""

    def __init__(self, sender: Sender) -> None:
        self.stream_id = sample.uuid7()
        self.counted: Counter[str] = Counter()
        self.sent: dict[int, bytes] = {}
        self._sender = sender
        self._sequence = 0
        self._dropped: Counter[str] = Counter()

    def make(self, count: int) -> list[dict[str, object]]:
        self.counted["made"] += count
        return [sample.event() for _ in range(count)]

    def drop(self, count: int, reason: str) -> None:
        """Lose events before they are in a batch; the next batches report it until one arrives."""
        self.make(count)
        self.counted["dropped"] += count
        self._dropped[reason] += count

    def send(self, *events: dict[str, object]) -> None:
        self._deliver(self._batch(*events))
        self._dropped.clear()
        self.counted["arrived"] += len(events)

    def lose(self, *events: dict[str, object]) -> None:
        """Skip a number, as a batch that never arrives does."""
        self._batch(*events)
        self.counted["missing events"] += len(events)
        self.counted["missing batches"] += 1

    def send_again(self, sequence: int) -> None:
        self._deliver(self.sent[sequence])

    def _batch(self, *events: dict[str, object]) -> bytes:
        body = sample.body(*events, stream=sample.stream(self._sequence, self.stream_id), dropped=dict(self._dropped))
        self.sent[self._sequence] = body
        self._sequence += 1
        return body

    def _deliver(self, body: bytes) -> None:
        assert self._sender.post(body).status == 200


@pytest.fixture(scope="module")
def reconciled(postgres: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Customer]]:
    dsn = postgres.migrated()
    tenant = customers.act(dsn, lambda connection: customers.add(connection, "main", CustomerSpec()))
    with service.serving(dsn, tmp_path_factory.mktemp("serve") / "log", drain_s=0) as server:
        yield server, tenant


@pytest.fixture
def proxy(reconciled: tuple[Server, Customer]) -> Iterator[Proxy]:
    """Yield a proxy after a day with every kind of event."""
    server, tenant = reconciled
    sender = server.sender(tenant.token)
    made = Proxy(sender)
    first = made.make(5)
    made.send(*first)
    made.drop(3, "queue_full")
    made.send(*made.make(2))
    made.send_again(0)
    made.lose(*made.make(4))
    made.lose(*made.make(1))
    made.counted["in two batches"] += 2
    made.send(*first[:2], *made.make(1))
    made.drop(1, "refused")
    made.drop(2, "queue_full")
    made.lose(*made.make(6))
    made.send(*made.make(7))
    for sequence in (0, 1, 4, 4):
        made.send_again(sequence)
    sender.post(sample.body(sample.event(), sample.event()))  # Without a stream: only the tenant's totals count it.
    yield made
    sender.close()


def ask(dsn: str, query: str, tenant_id: int, stream_id: str = "") -> list[asyncpg.Record]:
    """Run a query of the docs as an analyst, about a tenant and stream of ours."""
    ours = re.sub(r"stream_id = '[^']*'", f"stream_id = '{stream_id}'", query)
    ours = re.sub(r"tenant_id = \d+", f"tenant_id = {tenant_id}", ours)

    async def run() -> list[asyncpg.Record]:
        async with connections.connected(dsn, "nocontent_analyst") as connection:
            return list(await connection.fetch(ours))

    return asyncio.run(run())


def test_all_that_a_proxy_made_is_accounted_for(reconciled: tuple[Server, Customer], proxy: Proxy) -> None:
    server, tenant = reconciled
    (row,) = ask(server.dsn, _STREAM, tenant.tenant_id, proxy.stream_id)
    assert dict(row) == {
        "last_sequence": 6,
        "arrived": proxy.counted["arrived"],
        "accepted": 5 + 2 + 1 + 7,
        "duplicates": proxy.counted["in two batches"],
        "dropped": proxy.counted["dropped"],
        "missing_batches": proxy.counted["missing batches"],
    }
    arrived_first = row["arrived"] - proxy.counted["in two batches"]
    assert arrived_first + row["dropped"] + proxy.counted["missing events"] == proxy.counted["made"]


def test_every_missing_batch_is_in_a_gap(reconciled: tuple[Server, Customer], proxy: Proxy) -> None:
    server, tenant = reconciled
    gaps = ask(server.dsn, _GAPS, tenant.tenant_id, proxy.stream_id)
    assert [tuple(gap.values()) for gap in gaps] == [(2, 3), (5, 5)]
    assert sum(gap["last"] - gap["first"] + 1 for gap in gaps) == proxy.counted["missing batches"]


def test_every_acknowledged_event_is_a_row_and_a_planted_fault_is_seen(
    reconciled: tuple[Server, Customer], proxy: Proxy
) -> None:
    server, tenant = reconciled
    (row,) = ask(server.dsn, _TENANT, tenant.tenant_id)
    without_stream = 2
    assert row["accepted"] >= proxy.counted["arrived"] - proxy.counted["in two batches"] + without_stream
    assert (row["stored"], row["difference"]) == (row["accepted"], 0)
    cluster.run(server.dsn, _ROW.format(tenant.tenant_id))
    assert ask(server.dsn, _TENANT, tenant.tenant_id)[0]["difference"] == 1
    cluster.run(server.dsn, "DELETE FROM events WHERE event_id IN (SELECT event_id FROM events LIMIT 3)")
    assert ask(server.dsn, _TENANT, tenant.tenant_id)[0]["difference"] == -2
    cluster.run(server.dsn, "DELETE FROM events")
    assert ask(server.dsn, _TENANT, tenant.tenant_id)[0]["difference"] == -row["accepted"]
    cluster.run(server.dsn, "DELETE FROM batches")
    cluster.run(server.dsn, _ROW.format(tenant.tenant_id))
    assert [tuple(left.values()) for left in ask(server.dsn, _TENANT, tenant.tenant_id)] == [(0, 1, 1)]


def test_a_gap_that_lasts_is_a_metric(postgres: Cluster, tmp_path: Path) -> None:
    dsn = postgres.migrated()
    tenant = customers.act(dsn, lambda connection: customers.add(connection, "main", CustomerSpec()))
    with service.serving(dsn, tmp_path / "before", workers=1, drain_s=0) as server:
        sender = server.sender(tenant.token)
        proxy = Proxy(sender)
        proxy.send(*proxy.make(1))
        proxy.lose(*proxy.make(1))
        proxy.lose(*proxy.make(1))
        proxy.send(*proxy.make(1))
        sender.close()
        assert scrape(server)["ingest_stream_missing_sequences"] == 0
    # A worker looks at its start and then every minute. For the ledger, a minute has passed meanwhile.
    cluster.run(dsn, "UPDATE batches SET received_at = received_at - interval '1 minute'")
    with service.serving(dsn, tmp_path / "after", workers=1, drain_s=0) as server:
        assert scrape(server)["ingest_stream_missing_sequences"] == 2
