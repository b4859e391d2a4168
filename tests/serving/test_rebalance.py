"""Balancing connections between workers (`ingest/serving/rebalance.py`)."""

import re
from contextlib import closing
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from ingest.serving.rebalance import SLACK, Rebalancer
from tests.support import crowd, customers, service
from tests.support.cluster import Cluster
from tests.support.customers import CustomerSpec
from tests.support.wire import Sender

TICKS = 400


@given(st.lists(st.integers(0, 40), min_size=2, max_size=5))
def test_senders_spread_and_then_stay_where_they_are(senders: list[int]) -> None:
    means = [0.0] * len(senders)
    workers = [Rebalancer(means, place) for place in range(len(senders))]
    for worker, count in zip(workers, senders, strict=True):
        for _ in range(count):
            worker.enter()
    moved_at = 0
    for tick in range(TICKS):
        for place, worker in enumerate(workers):
            worker.tick()
            if worker.sends_away():
                moved_at = tick
                worker.leave()
                senders[place] -= 1
                idlest = senders.index(min(senders))
                workers[idlest].enter()
                senders[idlest] += 1
    assert moved_at < TICKS // 2
    assert max(senders) <= min(senders) + max(SLACK, min(senders) / 2) + 1


def test_one_sender_is_sent_away_in_a_tick() -> None:
    means = [0.0, 0.0]
    crowded = Rebalancer(means, 0)
    for _ in range(100):
        crowded.enter()
    assert not crowded.sends_away()
    crowded.tick()
    assert [crowded.sends_away() for _ in range(3)] == [True, False, False]


def test_a_worker_alone_keeps_its_senders() -> None:
    for means in ([0.0], [0.0, -1.0]):  # The other worker is starting or stopping.
        alone = Rebalancer(means, 0)
        for _ in range(100):
            alone.enter()
        alone.tick()
        assert not alone.sends_away()


def test_a_crowded_worker_sends_senders_to_an_idle_one(postgres: Cluster, tmp_path: Path) -> None:
    dsn = postgres.migrated()
    token = customers.act(dsn, lambda connection: customers.add(connection, "main", CustomerSpec())).token
    with service.serving(dsn, tmp_path / "log") as server:
        crowd.send_away(server, token)
        with closing(Sender(server.metrics_bind)) as scraper:
            moved = re.search(
                r"^ingest_moved_senders_total (\S+)$", scraper.get("/metrics").body.decode(), re.MULTILINE
            )
        assert moved is not None
        assert float(moved[1]) >= 1
