"""The kernel refuses a confined process everything but forwarding, and each layer refuses something of its own."""

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import msgspec
import pytest

from ingest.gateway.confine import landlock
from tests.gateway.confine.attempts import ATTEMPTS, DONE, NOBODY, ON_OPEN_FILES, REFUSED, Trial

ROOT = Path(__file__).parents[3]
PROGRAM = Path(__file__).with_name("attempts.py")
IS_ROOT = os.geteuid() == 0
FILES = {
    "write-file", "write-tmp", "write-shm", "write-own-memory", "read-file", "read-environment", "truncate-file",
    "make-folder", "make-link", "rename-file", "remove-file", "write-unnamed", "write-device", "write-in-thread",
    "open-again",
}  # fmt: skip
NETWORK = {"connect-elsewhere", "bind"}
# Refused by more than one layer, or to some users in any case.
BY_SEVERAL = {
    "signal-parent", "spawn", "posix-spawn", "open-terminal", "sctp", "raw-socket", "packet-socket", "netlink", "bpf",
    "perf-event", "userfaultfd", "unshare", "mount", "kernel-log", "core-limit", "key-ring", "host-name", "io-uring",
}  # fmt: skip
MAY = {name for name in ATTEMPTS if name.startswith("may-")}
MUST_NOT = {*ATTEMPTS, *(f"open-{name}" for name in ON_OPEN_FILES)} - MAY


class Run(Protocol):
    def __call__(self, **given: str | int | bool) -> dict[str, str]: ...


pytestmark = pytest.mark.skipif(landlock.abi() < landlock.ABI_NET, reason="This kernel has no Landlock for networks.")


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    """Return a function that runs the program, and returns the outcomes."""
    with ExitStack() as opened:
        allowed, other = (opened.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2))

        def run(**given: str | int | bool) -> dict[str, str]:
            # Not pytest's own, which other users cannot enter.
            folder, readable = (Path(opened.enter_context(tempfile.TemporaryDirectory())) for _ in range(2))
            for file in (folder / "secret", folder / "spare", readable / "key"):
                file.write_text("x")
            with socket.socket(socket.AF_UNIX) as unix:
                unix.bind(str(folder / "socket"))
                unix.listen()
                for path in (folder, *folder.iterdir(), readable, *readable.iterdir()):
                    path.chmod(0o777)
                ports = {"allowed_port": allowed.getsockname()[1], "other_port": other.getsockname()[1]}
                trial = msgspec.convert({"folder": str(folder), "readable": str(readable), **ports, **given}, Trial)
                return _outcomes(trial)

        yield run


def _outcomes(trial: Trial) -> dict[str, str]:
    done = subprocess.run(
        [sys.executable, str(PROGRAM), msgspec.json.encode(trial).decode()],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, check=True, timeout=60,
    )  # fmt: skip
    return msgspec.json.decode(done.stdout, type=dict[str, str])


def _refused(outcomes: dict[str, str]) -> set[str]:
    return {name for name, outcome in outcomes.items() if outcome == REFUSED}


@pytest.mark.parametrize("user", [0, pytest.param(NOBODY, marks=pytest.mark.skipif(not IS_ROOT, reason="Needs root."))])
def test_a_confined_process_can_forward_and_nothing_else(run: Run, user: int) -> None:
    outcomes = run(user=user)
    assert _refused(outcomes) == MUST_NOT
    # Another user may be unable to enter the folder of the interpreter.
    assert {outcomes[name] for name in MAY - ({"may-import"} if user else set())} == {DONE}


@pytest.mark.parametrize(
    ("layer", "held"),
    [("landlock-fs", FILES), ("landlock-net", NETWORK), ("seccomp", MUST_NOT - FILES - NETWORK - BY_SEVERAL)],
)
def test_without_a_layer_what_it_holds_is_possible(run: Run, layer: str, held: set[str]) -> None:
    outcomes = run(without=layer)
    assert f"layer-{layer}" not in outcomes
    assert MUST_NOT - _refused(outcomes) >= held
    assert f"layer-{layer}" in run()


def test_a_second_thread_would_be_free_so_it_prevents_the_start(run: Run) -> None:
    assert "landlock-fs" in run(has_second_thread=True)["cannot-start"]


@pytest.mark.skipif(not IS_ROOT, reason="Needs root, to have no right to lock as another user.")
def test_memory_that_cannot_be_locked_prevents_the_start_only_if_it_is_required(run: Run) -> None:
    assert "NOCONTENT_GATEWAY_LOCK_MEMORY" in run(user=NOBODY, lock_memory="required")["cannot-start"]
    assert "layer-mlock" not in run(user=NOBODY)
    assert "layer-mlock" in run()
