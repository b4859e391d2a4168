"""A log that is unread, full, stuck or flooded by strangers affects nobody else."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from ingest import logs
from tests.support import cluster, customers, sample, service
from tests.support.cluster import Cluster
from tests.support.customers import CustomerSpec
from tests.support.pipes import full_pipe
from tests.support.service import ROOT, Server, wait_until
from tests.support.wire import Sender

_ASKS = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"  # A request without a token.
_PIPELINED = 100
_REFUSALS = 1_000  # More than twice as many as once blocked a worker on an unread log for ever.


@pytest.fixture(scope="module")
def served(postgres: Cluster) -> Iterator[tuple[str, str]]:
    """Yield a database and the token of a tenant in it."""
    dsn = postgres.migrated()
    yield dsn, customers.act(dsn, lambda connection: customers.add(connection, "honest", CustomerSpec())).token
    postgres.drop(dsn)


@contextlib.contextmanager
def _reader_gone() -> Iterator[int]:
    read, write = os.pipe()
    os.close(read)
    yield write
    os.close(write)


@contextlib.contextmanager
def _reader_stuck() -> Iterator[int]:
    """Yield a full pipe, whose reader exists but does not read."""
    with full_pipe() as (_, write):
        yield write


@contextlib.contextmanager
def _stuck_without_waiting() -> Iterator[int]:
    """Yield a full pipe on which another process that has it open has set O_NONBLOCK."""
    with full_pipe() as (_, write):
        os.set_blocking(write, False)
        yield write


@contextlib.contextmanager
def _disk_full() -> Iterator[int]:
    with Path("/dev/full").open("wb") as full:
        yield full.fileno()


@contextlib.contextmanager
def _socket_gone() -> Iterator[int]:
    """Yield a socket whose reader has ended, as a journal may."""
    here, there = socket.socketpair()
    there.close()
    with here:
        yield here.fileno()


_LOGS = {
    "the reader is gone": _reader_gone,
    "the reader is stuck": _reader_stuck,
    "the disk is full": _disk_full,
    "the reader is stuck and the pipe never waits": _stuck_without_waiting,
    "the journal is gone": _socket_gone,
}


@pytest.mark.parametrize("where", list(_LOGS)[:3])  # Each starts a server; the others fail to start.
def test_a_log_that_takes_no_line_is_nobody_elses_trouble(where: str, served: tuple[str, str], tmp_path: Path) -> None:
    """Parent and worker work from start to stop."""
    dsn, token = served
    with (
        _LOGS[where]() as into,
        service.serving(dsn, tmp_path / "log", into=into, workers=1) as server,
        contextlib.closing(server.sender(token)) as sender,
    ):
        assert _refusals(server) == Counter({b"404": _REFUSALS})
        assert sender.post(sample.body()).status == 200
        _cut_connections(dsn)
        wait_until(lambda: sender.post(sample.body()).status == 200)
        old = server.workers()
        server.process.send_signal(signal.SIGHUP)  # The parent logs something.
        wait_until(lambda: bool(server.workers()) and set(old).isdisjoint(server.workers()))
        wait_until(lambda: _is_live(server))
        assert "ingest_log_lines_lost_total" in _metrics(server)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(10) == 0


def test_a_reader_that_goes_while_we_run_is_nobody_elses_trouble(served: tuple[str, str], tmp_path: Path) -> None:
    dsn, token = served
    read, write = os.pipe()
    with (
        service.serving(dsn, tmp_path / "log", into=write, workers=1) as server,
        contextlib.closing(server.sender(token)) as sender,
    ):
        os.close(write)
        os.close(read)
        assert _refusals(server) == Counter({b"404": _REFUSALS})
        assert sender.post(sample.body()).status == 200
        wait_until(lambda: _lost(server)["reader_gone"] > 0)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(10) == 0


def test_a_closed_stream_is_no_place_for_another_file(served: tuple[str, str], tmp_path: Path) -> None:
    """The next opened file would get its number, and lines would go into a connection to PostgreSQL."""
    dsn, token = served
    bind, metrics_bind = (f"127.0.0.1:{port}" for port in service.free_ports(2))
    env = service.environment(dsn, bind=bind, metrics_bind=metrics_bind, drain_s=0)
    command = ["/bin/sh", "-c", 'exec "$0" -m ingest serve <&- >&- 2>&-', sys.executable]
    process = subprocess.Popen(command, env=env, cwd=ROOT)
    try:
        server = Server(process, bind, metrics_bind, dsn, tmp_path, 1)
        wait_until(lambda: _is_live(server))
        with contextlib.closing(server.sender(token)) as sender:
            wait_until(lambda: sender.get("/readyz").status == 200)
            assert sender.post(sample.body()).status == 200
        for pid in (process.pid, *server.workers()):
            links = [str(Path(f"/proc/{pid}/fd/{number}").readlink()) for number in range(3)]
            assert not any(link.startswith("socket:") for link in links)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("where", _LOGS)
def test_a_start_that_cannot_be_ends_though_nobody_reads_why(where: str) -> None:
    with _LOGS[where]() as into:
        command = [sys.executable, "-m", "ingest", "serve"]
        process = subprocess.Popen(
            command, env=service.environment("", workers="x"), cwd=ROOT, stdout=into, stderr=into
        )
        assert process.wait(20) == 2


@pytest.mark.parametrize("where", ["the reader is gone", "the disk is full"])
def test_a_command_says_by_its_status_what_it_cannot_say_in_words(where: str, served: tuple[str, str]) -> None:
    dsn, _ = served
    with _LOGS[where]() as into:
        env = service.environment(dsn)
        command = [sys.executable, "-m", "ingest", "check", "-"]
        ended = subprocess.run(
            command, env=env, cwd=ROOT, input=b"{", stdout=subprocess.PIPE, stderr=into, timeout=30, check=False
        )
        assert (ended.returncode, ended.stdout != b"") == (1, True)


def test_a_command_whose_output_is_lost_fails(served: tuple[str, str]) -> None:
    with _disk_full() as into:
        command = [sys.executable, "-m", "ingest", "tenant", "list"]
        ended = subprocess.run(
            command, env=service.environment(served[0]), cwd=ROOT, stdout=into, stderr=subprocess.PIPE, timeout=30,
            check=False,
        )  # fmt: skip
    assert ended.returncode == 1
    assert b"the disk is full, or the output cannot be written" in ended.stderr
    assert b"Traceback" not in ended.stderr


def test_a_flood_of_refusals_is_told_in_few_lines_and_counted_in_full(served: tuple[str, str], tmp_path: Path) -> None:
    log = tmp_path / "log"
    with service.serving(served[0], log, workers=1) as server:
        began_at, before = time.monotonic(), log.stat().st_size
        assert _refusals(server) == Counter({b"404": _REFUSALS})
        seconds = time.monotonic() - began_at
        wait_until(lambda: _refusals_told(log) == _REFUSALS, lambda: str(_refusals_told(log)))
        written = log.stat().st_size - before
    assert written < logs.BYTES_A_SECOND_MAX * (seconds + 2)
    assert sum(line["event"] == "refused" for line in _lines(log)) <= 4 * (seconds + 2)


def _refusals(server: Server) -> "Counter[bytes]":
    """Send many requests as a stranger over one connection, and return the statuses."""
    host, _, port = server.bind.rpartition(":")
    answers: Counter[bytes] = Counter()
    with socket.create_connection((host, int(port)), timeout=20) as connection, connection.makefile("rb") as answer:
        for _ in range(_REFUSALS // _PIPELINED):
            connection.sendall(_ASKS * _PIPELINED)
            answers.update(_answer(answer) for _ in range(_PIPELINED))
    return answers


def _answer(answer: IO[bytes]) -> bytes:
    status, size = answer.readline().split()[1], 0
    while (line := answer.readline()) != b"\r\n":
        if line.lower().startswith(b"content-length:"):
            size = int(line.split()[1])
    answer.read(size)
    return status


def _cut_connections(dsn: str) -> None:
    cluster.fetch(
        dsn, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'nocontent-writer'"
    )


def _is_live(server: Server) -> bool:
    try:
        with contextlib.closing(server.sender()) as sender:
            return sender.get("/livez").status == 200
    except OSError:
        return False


def _metrics(server: Server) -> str:
    with contextlib.closing(Sender(server.metrics_bind)) as asking:
        answer = asking.get("/metrics")
    assert answer.status == 200
    return answer.body.decode()


def _lost(server: Server) -> dict[str, float]:
    found = re.findall(r'^ingest_log_lines_lost_total\{reason="([a-z_]+)"\} (\S+)$', _metrics(server), re.MULTILINE)
    return {reason: float(count) for reason, count in found}


def _lines(log: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in log.read_text().splitlines() if line.endswith("}")]


def _refusals_told(log: Path) -> int:
    return sum(int(str(line.get("suppressed", 1))) for line in _lines(log) if line.get("problem") == "not-found")
