"""Replacing workers under load, and reporting not ready before a stop."""

import inspect
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest
from hypercorn.asyncio import run as hypercorn_run

from tests.support import cluster, customers, sample, service
from tests.support.cluster import Cluster
from tests.support.customers import CustomerSpec
from tests.support.reporter import Reporter
from tests.support.service import Server, wait_until
from tests.support.wire import Answer, Sender

SENDERS = 6
DRAIN_S = 1


class Replacement(NamedTuple):
    """A replacement of all workers under load, which has ended."""

    server: Server
    before: list[int]
    after: list[int]
    reporters: list[Reporter]


@pytest.fixture(scope="module")
def replacement(postgres: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replacement]:
    dsn = postgres.migrated()
    customer = customers.act(dsn, lambda connection: customers.add(connection, "main", CustomerSpec()))
    with service.serving(dsn, tmp_path_factory.mktemp("serve") / "log", drain_s=DRAIN_S) as server:
        before = server.workers()
        reporters = [Reporter(server.sender(customer.token)) for _ in range(SENDERS)]
        for reporter in reporters:
            reporter.start()
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: server.log.read_text().count('"event":"worker-replaced"') == service.WORKERS)
        after = server.workers()
        for reporter in reporters:
            reporter.ending.set()
            reporter.join(service.WAIT_S)
        yield Replacement(server, before, after, reporters)


def test_workers_are_replaced_under_load_without_a_refusal(replacement: Replacement) -> None:
    server, before, after, reporters = replacement
    heard = sum((reporter.heard for reporter in reporters), Counter())
    # No connection is refused, and few are closed under a request: the drain closes them after an answer.
    assert not heard["refused"]
    assert heard["closed"] <= SENDERS * service.WORKERS
    assert set(heard) <= {"200", "503", "closed"}
    assert not set(before) & set(after)
    assert len(after) == service.WORKERS
    stored = {str(row["event_id"]) for row in cluster.fetch(server.dsn, "SELECT event_id FROM events")}
    sent = [event_id for reporter in reporters for event_id in reporter.stored]
    assert len(sent) > 1_000
    assert set(sent) == stored


def test_after_sigterm_it_is_not_ready_and_still_takes_events(postgres: Cluster, tmp_path: Path) -> None:
    dsn = postgres.migrated()
    customer = customers.act(dsn, lambda connection: customers.add(connection, "main", CustomerSpec()))
    with (
        service.serving(dsn, tmp_path / "log", drain_s=DRAIN_S) as server,
        closing(server.sender(customer.token)) as sender,
    ):
        assert sender.get("/readyz").status == 200
        server.process.send_signal(signal.SIGTERM)
        # Each connection gets `close`, and may reconnect to the other worker, which starts its drain a moment later.
        asked = _until(lambda: sender.get("/readyz"), lambda answer: answer.status == 503)
        assert asked.json["failing"] == ["stopping"]
        taken = _until(lambda: sender.post(sample.body()), lambda answer: "connection" in answer.headers)
        assert taken.status == 200
        assert taken.headers["connection"] == "close"
        assert sender.get("/livez").status == 200
        assert server.process.wait(service.WAIT_S) == 0


def _until(ask: Callable[[], Answer], is_it: Callable[[Answer], bool]) -> Answer:
    answers: list[Answer] = []

    def asked() -> bool:
        answers.append(ask())
        return is_it(answers[-1])

    wait_until(asked)
    return answers[-1]


def test_a_second_signal_cuts_the_drain_short(postgres: Cluster, tmp_path: Path) -> None:
    with (
        service.serving(postgres.migrated(), tmp_path / "log", drain_s=300) as server,
        closing(server.sender()) as sender,
    ):
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: sender.get("/readyz").status == 503)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(service.WAIT_S) == 0


def test_the_gauges_of_a_replaced_worker_are_gone(replacement: Replacement) -> None:
    with closing(Sender(replacement.server.metrics_bind)) as scraper:
        wait_until(lambda: "ingest_partitions_ahead_days 7.0" in scraper.get("/metrics").body.decode())
        shown = scraper.get("/metrics").body.decode()
    assert re.search(r"^ingest_build_info\{.*\} 1\.0$", shown, re.MULTILINE)


def test_a_worker_that_does_not_come_up_leaves_the_old_ones_at_work(postgres: Cluster, tmp_path: Path) -> None:
    dsn = postgres.migrated()
    customer = customers.act(dsn, lambda connection: customers.add(connection, "main", CustomerSpec()))
    file = tmp_path / "dsn"
    file.write_text(dsn)
    with service.serving(dsn, tmp_path / "log", workers=1, dsn_file=file) as server:
        before = server.workers()
        file.unlink()  # Without it a worker cannot start.
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: '"event":"worker-not-replaced"' in server.log.read_text())
        assert "nocontent: NOCONTENT_DSN_FILE names a file that cannot be read." in server.log.read_text()
        assert server.workers() == before
        with closing(server.sender(customer.token)) as sender:
            assert sender.post(sample.body()).status == 200


def test_a_signal_at_any_moment_of_the_start_ends_it(postgres: Cluster, tmp_path: Path) -> None:
    dsn = postgres.migrated()
    for place in range(12):
        with (tmp_path / "log").open("wb") as log:
            env = service.environment(dsn, workers=2, drain_s=0, bind=f"127.0.0.1:{service.free_ports(1)[0]}")
            process = subprocess.Popen([sys.executable, "-m", "ingest", "serve"], env=env, stdout=log, stderr=log)
        wait_until(lambda: b'"starting"' in (tmp_path / "log").read_bytes())
        time.sleep(place * 0.03)  # At different moments of the start.
        process.send_signal(signal.SIGTERM)
        assert process.wait(service.WAIT_S) == 0


_STOPPED_EARLY = """
import multiprocessing, sys
from ingest.intake.process import APPLICATION
from ingest.serving import rebalance, supervisor
from ingest.serving.listener import Listener
from ingest.serving.site import Events, Shared, Site
events = Events(*(multiprocessing.get_context("spawn").Event() for _ in range(3)))
getattr(events, sys.argv[1]).set()
site = Site(APPLICATION, Listener(), Listener().create_sockets())
supervisor._work(site, Shared(rebalance.Rebalancer(rebalance.shared(1), 0), None), events)
sys.exit(2 if "ingest.serving.worker" in sys.modules else 0)
"""


@pytest.mark.parametrize(("event", "status"), [("stop", 0), ("drain", 1)])
def test_a_worker_that_is_asked_to_stop_before_it_serves_ends_at_once(event: str, status: int) -> None:
    """Without a database the other does not come up, and says so."""
    command = [sys.executable, "-c", _STOPPED_EARLY, event]
    ended = subprocess.run(command, env=service.environment("", bind="127.0.0.1:1"), check=False, capture_output=True)
    assert ended.returncode == status, ended.stderr


def test_a_terminals_interrupt_reaches_the_parent_alone(postgres: Cluster, tmp_path: Path) -> None:
    with service.serving(postgres.migrated(), tmp_path / "log", drain_s=0) as server:
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: server.log.read_text().count('"event":"worker-replaced"') == service.WORKERS)
        for pid in server.workers():
            os.kill(pid, signal.SIGINT)
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(service.WAIT_S) == 0
        assert '"worker-lost"' not in server.log.read_text()


def test_hypercorn_has_the_name_that_is_set_in_it() -> None:
    assert "await TCPServer(" in inspect.getsource(hypercorn_run.worker_serve)
