"""Shutdown: accepted requests are finished and no process is left behind, however it ends."""

import asyncio
import contextlib
import http.client
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from ingest.demo.local_gateway import ASKS, OPUS
from tests.support import cluster, customers, sample, service
from tests.support.cluster import Cluster
from tests.support.customers import CustomerSpec
from tests.support.service import Server, children, is_gone, wait_until
from tests.support.wire import Sender

SENDERS = 8
TRACE_EVENTS = 28_185
CLIENT_EVENTS = 1_200
GATEWAY_EVENTS = len(ASKS)
_DECISION = re.compile(r"^  (?:a|the) .* 200  ([a-z-]+) +[a-z_]+ +[0-9]+  (\S+)$", re.MULTILINE)
_CLIENT = re.compile(r"^  (\w\S* .*\((?!rows)\S+\)) +(\S+) +(\S+) +(\S+)  (\S+) +\d", re.MULTILINE)


class Load:
    """Senders that post batch after batch until the service ends, and keep the acknowledged ids."""

    def __init__(self, bind: str, token: str) -> None:
        self.acknowledged: list[str] = []
        self.statuses: set[int] = set()
        self._bind, self._token = bind, token
        self._threads = [threading.Thread(target=self._send) for _ in range(SENDERS)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()
        wait_until(lambda: len(self.acknowledged) > 2_000)

    def join(self) -> None:
        for thread in self._threads:
            thread.join(service.WAIT_S)
            assert not thread.is_alive()

    def _send(self) -> None:
        sender = Sender(self._bind, self._token)
        while True:
            events = [sample.event() for _ in range(50)]
            try:
                sender.local_port()
                answer = sender.post(sample.body(*events))
            except ConnectionRefusedError:
                break
            except (OSError, http.client.HTTPException):
                break
            self.statuses.add(answer.status)
            if answer.status != 200:
                break
            self.acknowledged += [str(event["event_id"]) for event in events]
        sender.close()


@contextlib.contextmanager
def _loaded(dsn: str, log: Path) -> Iterator[tuple[Server, Load]]:
    customer = customers.act(dsn, lambda connection: customers.add(connection, "main", CustomerSpec()))
    with service.serving(dsn, log) as server:
        load = Load(server.bind, customer.token)
        load.start()
        yield server, load


@pytest.fixture(scope="module")
def terminated(postgres: Cluster, tmp_path_factory: pytest.TempPathFactory) -> tuple[Server, Load]:
    """Return a service that SIGTERM ended under load, and its senders."""
    with _loaded(postgres.migrated(), tmp_path_factory.mktemp("serve") / "log") as (server, load):
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(service.WAIT_S)
        load.join()
    return server, load


def in_the_table(dsn: str) -> set[UUID]:
    return {row["event_id"] for row in cluster.fetch(dsn, "SELECT event_id FROM events")}


def test_sigterm_under_load_keeps_every_acknowledged_event(terminated: tuple[Server, Load]) -> None:
    server, load = terminated
    assert server.process.returncode == 0
    assert {UUID(acknowledged) for acknowledged in load.acknowledged} <= in_the_table(server.dsn)
    assert load.statuses <= {200, 503}


def test_sigterm_lets_every_worker_finish(terminated: tuple[Server, Load]) -> None:
    server, _ = terminated
    assert server.log.read_text().count('"event":"stopped"') == service.WORKERS


def test_sigterm_answers_a_request_that_waits_for_its_commit(postgres: Cluster, tmp_path: Path) -> None:
    dsn = postgres.migrated()
    customer = customers.act(dsn, lambda connection: customers.add(connection, "main", CustomerSpec()))
    with service.serving(dsn, tmp_path / "log") as server, contextlib.closing(server.sender(customer.token)) as sender:
        answers: list[int] = []

        def post() -> None:
            with contextlib.suppress(OSError, http.client.HTTPException):
                answers.append(sender.post(sample.body()).status)

        with _locked(dsn) as blocked:
            posting = threading.Thread(target=post)
            posting.start()
            wait_until(blocked)
            server.process.send_signal(signal.SIGTERM)
            time.sleep(1)  # Long enough for an idle worker to exit.
        posting.join(service.WAIT_S)
        assert answers == [200]


def test_sigkill_under_load_keeps_every_acknowledged_event(postgres: Cluster, tmp_path: Path) -> None:
    with _loaded(postgres.migrated(), tmp_path / "log") as (server, load):
        server.process.kill()
        load.join()
    wait_until(lambda: not _writers(server.dsn))
    assert {UUID(acknowledged) for acknowledged in load.acknowledged} <= in_the_table(server.dsn)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of its parent's end")
def test_sigkill_of_the_parent_leaves_no_worker(postgres: Cluster, tmp_path: Path) -> None:
    with service.serving(postgres.migrated(), tmp_path / "log") as server:
        left = children(server.process.pid)
        assert set(server.workers()) <= set(left)
        server.process.kill()
        server.process.wait(service.WAIT_S)
        wait_until(lambda: all(map(is_gone, left)))


def _writers(dsn: str) -> int:
    query = (
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'nocontent-%'"
    )
    return len(cluster.fetch(dsn, query))


@contextlib.contextmanager
def _locked(dsn: str) -> Iterator["_Blocked"]:
    """Block every writer, and yield a function that returns whether one waits."""
    loop = asyncio.new_event_loop()
    blocked = _Blocked(dsn)
    entered = cluster.operator(dsn)
    connection = loop.run_until_complete(entered.__aenter__())
    transaction = connection.transaction()
    loop.run_until_complete(transaction.start())
    loop.run_until_complete(connection.execute("LOCK TABLE batches IN ACCESS EXCLUSIVE MODE"))
    try:
        yield blocked
    finally:
        loop.run_until_complete(transaction.rollback())
        loop.run_until_complete(entered.__aexit__(None, None, None))
        loop.close()


class _Blocked:
    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    def __call__(self) -> bool:
        query = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        return bool(cluster.fetch(self._dsn, query))


@contextlib.contextmanager
def _demo(folder: Path, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    names = (
        "bind", "metrics_bind", "console_bind", "console_metrics_bind", "gateway_bind", "gateway_metrics_bind",
    )  # fmt: skip
    binds = {name: f"127.0.0.1:{port}" for name, port in zip(names, service.free_ports(len(names)), strict=True)}
    env = service.environment("", data_dir=folder, **binds)
    del env["NOCONTENT_DSN"]
    env |= {"http_proxy": "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "true"}  # Of the user's own clients.
    demo = subprocess.Popen(
        [sys.executable, "-m", "ingest", "demo", *arguments],
        env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        yield demo
    finally:
        demo.kill()
        demo.communicate(timeout=service.WAIT_S)


# Slow because it runs the demo twice, each with a new cluster and the whole trace.
def test_a_killed_demo_leaves_nothing_running_and_its_rows_stay() -> None:
    with cluster.open_folder() as opened:
        folder = opened / "a folder with a space"
        with _demo(folder) as demo:
            assert demo.stdout is not None
            said = ""
            while "serving until Ctrl-C" not in said:
                line = demo.stdout.readline()
                assert line, said
                said += line
            assert re.search(rf"stored +{TRACE_EVENTS:,} events", said)
            assert re.search(rf"duplicates +{TRACE_EVENTS:,} of {TRACE_EVENTS:,}", said)
            assert "Sign in" in _followed(said)
            started = _descendants(demo.pid)
            assert started
            demo.kill()
            wait_until(lambda: all(map(is_gone, started)))
        with _demo(folder, "--once") as again:
            said, _ = again.communicate(timeout=90)
        assert again.returncode == 0, said
        assert f"of them {TRACE_EVENTS + CLIENT_EVENTS + GATEWAY_EVENTS:,} from earlier runs" in said
        assert _CLIENT.findall(said) == [
            ("nocontent-reporter (columns)", "1,001", "1,000", "1", "secret.anthropic-key"),
            ("OpenTelemetry SDK (OTLP)", "101", "100", "1", "content.prompt"),
            ("LiteLLM (generic_api)", "101", "100", "1", "content.message"),
        ]
        _expect_decisions(said)
        rows, columns = (int(found) for found in re.findall(r"(?:rows|columns)\).* (\d+)\n", said))
        assert columns <= 130 < rows
        assert "WRONG" not in said
        assert "could hold text: 0" in said
        assert "no event came from the refused requests" in said
        assert re.search(r"curl -sS http://127\.0\.0\.1:\d+/v1/events", said)
        assert (folder / "token").stat().st_mode & 0o777 == 0o600


def _expect_decisions(said: str) -> None:
    """Check what the demo prints of its gateway."""
    assert _DECISION.findall(said) == [
        ("routed", "claude-haiku-4-5"), ("routed", "claude-haiku-4-5"), ("routed", "claude-sonnet-4-5"),
        ("same-model", OPUS), ("tool-loop", OPUS), ("signed-thinking", OPUS), ("low-confidence", OPUS),
    ]  # fmt: skip
    stored = rf"stored +{GATEWAY_EVENTS} events, such as: summarization, {OPUS} -> claude-haiku-4-5, "
    assert re.search(stored, said)
    assert re.search(r"saved +0\.00\d\d USD of 0\.02\d\d, or \d\d %", said)


def _followed(said: str) -> str:
    """Return the page behind the link to the console that the demo prints."""
    found = re.search(r"^http://(127\.0\.0\.1:\d+)(/link/\S+)$", said, re.MULTILINE)
    assert found is not None, said
    with contextlib.closing(Sender(found[1])) as browser:
        return browser.get(found[2]).body.decode()


def _descendants(pid: int) -> list[int]:
    found = children(pid)
    for child in list(found):
        found += _descendants(child) if os.path.exists(f"/proc/{child}") else []  # noqa: PTH110 (a process may go)
    return found
