"""Every finished request is reported once or counted as lost, whoever was killed."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ingest.gateway.companion.reports import Reports
from ingest.gateway.telemetry import handover as handover_module
from ingest.gateway.telemetry import outlet
from ingest.gateway.telemetry.counts import PLACES, SLOTS, CompanionCounts, CountsFile
from ingest.gateway.telemetry.handover import Handover
from ingest.gateway.telemetry.outlet import Outlet
from ingest.gateway.telemetry.reporters import Account, interval_s
from ingest.knowledge.gateway import TAG, GatewayTenant
from tests.gateway.telemetry.requests import finished
from tests.reporter.scripted import Reply, Scripted, scripted
from tests.support.service import ROOT

TENANT = GatewayTenant(7, categories=("summarization",), tags=(TAG,))
WAIT_S = 20.0
_WORKER = """
import asyncio, os, socket, sys
from ingest.gateway.telemetry.counts import CountsFile
from ingest.gateway.telemetry.handover import Handover
from ingest.gateway.telemetry.outlet import Outlet
from tests.gateway.telemetry.requests import finished

sending, counts, events = map(int, sys.argv[1:4])
async def run():
    outlet = Outlet(Handover(socket.socket(fileno=sending), CountsFile(counts)))
    for _ in range(events):
        outlet.put(finished())
    print(outlet._counts.place, flush=True)
    sys.stdin.read(1)
    for _ in range(int(sys.argv[4])):
        outlet._counts.number(7)  # Finished, and killed before it was sent.
    print("more", flush=True)
    sys.stdin.read()
asyncio.run(run())
"""


@pytest.fixture
def server() -> Iterator[Scripted]:
    with scripted() as found:
        yield found


@contextmanager
def handover(folder: Path | None = None) -> Iterator[Handover]:
    made = Handover.make(folder)
    try:
        yield made
    finally:
        made.close()


@contextmanager
def companion(made: Handover, url: str, folder: Path | None = None) -> Iterator[Reports]:
    """Run a companion's reports in a thread until the block ends."""
    assert made.receiving is not None
    account = Account(url, lambda tenant_id: f"ncg_{tenant_id}_x", folder, None)
    reports = Reports(made.receiving, CompanionCounts(made.counts), {7: TENANT}.get, account)
    ending = threading.Event()
    thread = threading.Thread(target=reports.run, args=(ending,))
    thread.start()
    try:
        yield reports
    finally:
        ending.set()
        thread.join(WAIT_S)
        assert not thread.is_alive()


@contextmanager
def worker(made: Handover, events: int, more: int = 0) -> Iterator["subprocess.Popen[str]"]:
    """Start a worker that has handed over some requests, and finishes more when it gets a line."""
    files = made.sending.fileno(), made.counts.file
    command = [sys.executable, "-c", _WORKER, *map(str, (*files, events, more))]
    environ = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, pass_fds=files, stdin=pipe, stdout=pipe, text=True, env=environ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip().isdecimal()
        yield process
        process.kill()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def put(made: Handover, events: int, tenant_id: int = 7) -> None:
    async def run() -> None:
        sender = Outlet(made)
        for _ in range(events):
            sender.put(finished(tenant_id))
        await sender.close()

    asyncio.run(run())


def test_what_a_worker_hands_over_is_stored_and_settled(server: Scripted) -> None:
    with handover() as made:
        with companion(made, server.url):
            put(made, 30)
            put(made, 3, tenant_id=8)  # Not in the snapshot any more.
            wait_for(lambda: len(server.stored) == 33)
        counts = CompanionCounts(made.counts)
        assert {tenant: counts.unsettled(tenant) for tenant in counts.tenants()} == {7: 0, 8: 0}
        assert server.dropped == {}
    assert {sent.headers["Authorization"] for sent in server.batches} == {"Bearer ncg_7_x", "Bearer ncg_8_x"}


def test_what_a_killed_worker_has_sent_arrives_and_the_rest_is_counted(server: Scripted) -> None:
    with handover() as made:
        with worker(made, 20, more=4) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            print(file=process.stdin, flush=True)
            process.stdout.readline()
        with companion(made, server.url):  # Started after the worker has ended.
            wait_for(lambda: len(server.stored) == 20 and server.dropped == {"shutdown": 4})


def test_what_a_killed_companion_has_received_and_not_settled_is_counted(server: Scripted) -> None:
    with handover() as made:
        put(made, 5)
        counts = CompanionCounts(made.counts)
        assert made.receiving is not None
        made.receiving.recv(4_096)  # And killed before it was counted;
        made.receiving.recv(4_096)  # this one is counted,
        counts.take(7, 2)
        counts.arrive(0, 1, 2)
        with companion(made, server.url):
            wait_for(lambda: len(server.stored) == 3 and server.dropped == {"shutdown": 2})


def test_a_message_that_is_missing_between_two_is_counted(server: Scripted) -> None:
    with handover() as made:
        put(made, 3)
        assert made.receiving is not None
        made.receiving.recv(4_096)
        with companion(made, server.url):
            wait_for(lambda: len(server.stored) == 2 and server.dropped == {"shutdown": 1})


def test_a_gateway_that_was_killed_leaves_its_counts_in_the_folder(server: Scripted, tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    with handover(folder) as made:
        put(made, 6)  # In the kernel, and lost with it.
        CompanionCounts(made.counts).take(7, 2)  # By a companion that had not written them.
    with handover(folder) as made, companion(made, server.url, folder):
        wait_for(lambda: server.dropped == {"shutdown": 8})
        put(made, 1)
        wait_for(lambda: len(server.stored) == 1)
    assert oct(folder.stat().st_mode)[-3:] == "700"
    assert oct((folder / "counts-1").stat().st_mode)[-3:] == "600"


def test_events_wait_in_the_folder_for_a_service_that_is_away(
    server: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.gateway.companion.reports.CLOSE_S", 0.1)
    with handover(tmp_path) as made:
        with companion(made, "http://127.0.0.1:9", tmp_path):
            put(made, 9)
            wait_for(lambda: CompanionCounts(made.counts).tenants() == [7])
            wait_for(lambda: CompanionCounts(made.counts).unsettled(7) == 0)
        with companion(made, server.url, tmp_path):
            wait_for(lambda: len(server.stored) == 9)
    assert server.dropped == {}
    assert len(set(server.stored)) == 9


def test_two_gateways_do_not_share_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.gateway.telemetry.counts.TURN_S", 0.0)
    with handover(tmp_path), pytest.raises(BlockingIOError):
        Handover.make(tmp_path)
    with handover(tmp_path):
        pass


def test_a_full_socket_makes_nobody_wait_and_loses_the_oldest_by_count(
    server: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handover_module, "SOCKET_BYTES", 16_384)
    monkeypatch.setattr(outlet, "BACKLOG_MAX", 50)
    monkeypatch.setattr(outlet, "CLOSE_S", 0.0)
    with handover() as made:
        put(made, 500)
        with companion(made, server.url):
            put(made, 1)
            wait_for(lambda: len(server.stored) + server.dropped.get("shutdown", 0) == 501)
        assert len(server.stored) < 200


def test_the_backlog_goes_out_when_there_is_room(server: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handover_module, "SOCKET_BYTES", 16_384)

    async def run(made: Handover) -> None:
        sender = Outlet(made)
        for _ in range(500):
            sender.put(finished())
        with companion(made, server.url):
            while len(server.stored) < 500:  # noqa: ASYNC110 - the server is a thread.
                await asyncio.sleep(0.01)

    with handover() as made:
        asyncio.run(asyncio.wait_for(run(made), WAIT_S))
    assert server.dropped == {}


def test_more_tenants_than_slots_are_reported_too(server: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.gateway.telemetry.reporters.REPORTERS_MAX", 2)
    with handover() as made, companion(made, server.url):
        for tenant_id in range(1, 6):
            put(made, 2, tenant_id)
        wait_for(lambda: len(server.stored) + sum(server.dropped.values()) == 10)


def test_reporters_of_many_tenants_write_less_often() -> None:
    assert [interval_s(others) for others in (0, 4, 10, 20, 255)] == [0.2, 0.2, 0.5, 1.0, 1.0]


def test_tenants_beyond_the_slots_share_one() -> None:
    with handover() as made:
        sender = Outlet(made)
        numbered = [sender._counts.number(tenant_id) for tenant_id in range(1, SLOTS + 3)]  # noqa: SLF001 - the table.
    assert numbered[0] == (1, 1)
    assert numbered[-3:] == [(0, 1), (0, 2), (0, 3)]


def test_each_worker_has_a_place_and_a_new_one_avoids_what_is_not_settled() -> None:
    with handover() as made, worker(made, 1), worker(made, 1):
        assert Outlet(made)._counts.place == 2  # noqa: SLF001 - the places.
        counts = CompanionCounts(made.counts)
        assert [place for place in range(PLACES) if counts.missing(place)] == [0, 1]
        assert list(counts.dead_places()) == []


def test_garbage_on_the_socket_harms_nothing(server: Scripted) -> None:
    with handover() as made, companion(made, server.url):
        for garbage in (b"x", b"\xff" * 5_000, os.urandom(300)):
            made.sending.send(garbage)
        put(made, 2)
        wait_for(lambda: len(server.stored) == 2)


def test_a_refused_event_is_neither_kept_nor_counted_as_lost(server: Scripted) -> None:
    body = (
        b'{"type":"urn:nocontent:problem:rejected","title":"rejected","status":422,"violations":'
        b'[{"rule":"shape.out-of-range","pointer":"/columns/latency_ms/0","says":"Do it."}]}'
    )
    server.script.append(Reply(422, body, {"Content-Type": "application/problem+json"}))
    with handover() as made:
        with companion(made, server.url):
            put(made, 1)
            wait_for(lambda: server.dropped == {"refused": 1})
        assert CompanionCounts(made.counts).unsettled(7) == 0


def test_counts_survive_a_process_that_is_killed_while_it_counts() -> None:
    with handover() as made:
        with worker(made, 3) as process:
            os.kill(process.pid, signal.SIGKILL)
        found = CompanionCounts(CountsFile(made.counts.file)).missing(0)
    assert [(each.tenant_id, each.events, each.finished) for each in found] == [(7, 3, 3)]
    assert isinstance(made.sending, socket.socket)
