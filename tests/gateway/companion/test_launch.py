"""The companion as a process: started by a parent, killed, and ended with the parent."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ingest.gateway.admission.board import Board, BoardFile
from ingest.gateway.companion.launch import Companion
from ingest.gateway.telemetry.handover import Handover
from ingest.knowledge.gateway import GatewayTenant
from ingest.serving.process import is_running
from tests.gateway.service import SmallService, grant, small_service

WAIT_S = 20.0


def await_fact(fact: Callable[[], bool]) -> None:
    ends_at = time.monotonic() + WAIT_S
    while not fact():
        assert time.monotonic() < ends_at
        time.sleep(0.01)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallService]:
    with small_service(grant(GatewayTenant(7))[0], tmp_path_factory.mktemp("launch")) as service:
        yield service


@pytest.fixture
def _settings(service: SmallService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOCONTENT_GATEWAY_KEY_FILE", str(service.key_file))
    monkeypatch.setenv("NOCONTENT_GATEWAY_SERVICE_URL", service.url)


@pytest.mark.usefixtures("_settings")
def test_a_companion_that_is_killed_is_replaced_and_goes_on_with_the_board(service: SmallService) -> None:
    file, handover = BoardFile.make(), Handover.make(None)
    companion = Companion({"board": file.file, **handover.files()})
    companion.start()
    try:
        board = Board(file.readable())
        await_fact(lambda: board.read() is not None)
        first = companion.pid
        os.kill(first, signal.SIGKILL)
        await_fact(lambda: companion.pid != first)
        service.revoke(service.snapshot.tokens[0].token_id)
        await_fact(lambda: (known := board.read()) is not None and not known.tokens)
    finally:
        companion.stop()
    assert not is_running(companion.pid)
    os.close(file.file)
    handover.close()


PARENT = """
import time
from ingest.gateway import process
board = process.share().board
from ingest.gateway.admission.board import Board
while Board(board).read() is None:
    time.sleep(0.01)
import sys
assert not {"ingest.gateway.app", "ingest.gateway.companion.poll", "http.client", "asyncpg"} & set(sys.modules)
print("shared", flush=True)
sys.stdin.read()
"""


@pytest.mark.usefixtures("_settings")
@pytest.mark.parametrize("is_killed", [False, True])
def test_a_companion_ends_with_its_parent(*, is_killed: bool) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdin is not None
        assert parent.stdout.readline() == b"shared\n"
        [child] = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
        if is_killed:
            parent.kill()
        else:
            parent.stdin.close()
    await_fact(lambda: _has_ended(child))


def _has_ended(pid: str) -> bool:
    """Return whether a process is gone, or waits for somebody to reap it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].startswith("Z")
    except FileNotFoundError:
        return True


@pytest.mark.usefixtures("_settings")
def test_a_companion_starts_without_the_folder_that_an_ending_parent_has_removed(
    service: SmallService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path / "removed"))
    file, handover, before = BoardFile.make(), Handover.make(None), service.polls
    companion = Companion({"board": file.file, **handover.files()})
    await_fact(lambda: service.polls > before)
    companion.stop()
    assert not is_running(companion.pid)
    os.close(file.file)
    handover.close()
