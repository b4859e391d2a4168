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
    "perf-event", "userfaultfd", "fast-open", "unshare", "mount", "kernel-log", "core-limit", "key-ring", "host-name",
    "io-uring",
}  # fmt: skip
MAY = {name for name in ATTEMPTS if name.startswith("may-")}
MUST_NOT = {*ATTEMPTS, *(f"open-{name}" for name in ON_OPEN_FILES)} - MAY


class Make(Protocol):
    def __call__(self, **given: str | int | bool) -> Trial: ...


pytestmark = pytest.mark.skipif(landlock.abi() < landlock.ABI_NET, reason="This kernel has no Landlock for networks.")


@pytest.fixture(scope="module")
def make() -> Iterator[Make]:
    """Return a function that makes a trial with folders and ports of its own."""
    with ExitStack() as opened:
        allowed, other = (opened.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2))

        def make(**given: str | int | bool) -> Trial:
            # Not pytest's own folders, which other users cannot enter.
            folder, readable = (Path(opened.enter_context(tempfile.TemporaryDirectory())) for _ in range(2))
            for file in (folder / "secret", folder / "spare", readable / "key"):
                file.write_text("x")
            unix = opened.enter_context(socket.socket(socket.AF_UNIX))
            unix.bind(str(folder / "socket"))
            unix.listen()
            for path in (folder, *folder.iterdir(), readable, *readable.iterdir()):
                path.chmod(0o777)
            ports = {"allowed_port": allowed.getsockname()[1], "other_port": other.getsockname()[1]}
            return msgspec.convert({"folder": str(folder), "readable": str(readable), **ports, **given}, Trial)

        yield make


def _start(trial: Trial) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, str(PROGRAM), msgspec.json.encode(trial).decode()],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=trial.folder,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip


def _outcomes(trial: Trial) -> dict[str, str]:
    with _start(trial) as process:
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return msgspec.json.decode(output, type=dict[str, str])


def _refused(outcomes: dict[str, str]) -> set[str]:
    return {name for name, outcome in outcomes.items() if outcome == REFUSED}


@pytest.mark.parametrize("user", [0, pytest.param(NOBODY, marks=pytest.mark.skipif(not IS_ROOT, reason="Needs root."))])
def test_a_confined_process_can_forward_and_nothing_else(make: Make, user: int) -> None:
    outcomes = _outcomes(make(user=user))
    assert _refused(outcomes) == MUST_NOT
    # Another user may be unable to enter the folder of the interpreter.
    assert {outcomes[name] for name in MAY - ({"may-import"} if user else set())} == {DONE}


@pytest.mark.parametrize(
    ("layer", "held"),
    [("landlock-fs", FILES), ("landlock-net", NETWORK), ("seccomp", MUST_NOT - FILES - NETWORK - BY_SEVERAL)],
)
def test_without_a_layer_what_it_holds_is_possible(make: Make, layer: str, held: set[str]) -> None:
    outcomes = _outcomes(make(without=layer))
    assert f"layer-{layer}" not in outcomes
    assert MUST_NOT - _refused(outcomes) >= held
    assert f"layer-{layer}" in _outcomes(make())


def test_a_second_thread_would_be_free_so_it_prevents_the_start(make: Make) -> None:
    assert "landlock-fs" in _outcomes(make(has_second_thread=True))["cannot-start"]


@pytest.mark.skipif(not IS_ROOT, reason="Needs root, to have no right to lock as another user.")
def test_memory_that_cannot_be_locked_prevents_the_start_only_if_it_is_required(make: Make) -> None:
    assert "NOCONTENT_GATEWAY_LOCK_MEMORY" in _outcomes(make(user=NOBODY, lock_memory="required"))["cannot-start"]
    assert "layer-mlock" not in _outcomes(make(user=NOBODY))
    assert "layer-mlock" in _outcomes(make())


@pytest.mark.parametrize("confines", ["off", "required"])
def test_a_crash_leaves_no_core_file(make: Make, confines: str) -> None:
    with _start(make(then="crash", confines=confines)) as process:
        ended = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        process.communicate()
    assert ended is not None
    if confines == "off" and ended.si_code != os.CLD_DUMPED:
        pytest.skip("This machine keeps no core files.")
    assert ended.si_code == (os.CLD_DUMPED if confines == "off" else os.CLD_KILLED)


@pytest.mark.parametrize(("confines", "status"), [("off", 0), ("required", 1)])
def test_another_process_of_the_same_user_cannot_look_into_it(make: Make, confines: str, status: int) -> None:
    user = NOBODY if IS_ROOT else os.geteuid()
    with _start(make(user=user, then="stay", confines=confines)) as process:
        assert process.stdout is not None
        process.stdout.readline()
        look = subprocess.run(
            ["/bin/cat", f"/proc/{process.pid}/environ"], user=user, group=user if IS_ROOT else None,
            extra_groups=[] if IS_ROOT else None, capture_output=True, check=False,
        )  # fmt: skip
        process.communicate(timeout=60)
    assert look.returncode == status


def test_a_file_that_was_renewed_is_read(make: Make) -> None:
    trial = make(then="stay")
    with _start(trial) as process:
        assert process.stdout is not None
        process.stdout.readline()
        Path(trial.readable, "new").write_text("renewed")
        Path(trial.readable, "new").rename(Path(trial.readable, "key"))
        output, _ = process.communicate(timeout=60)
    assert msgspec.json.decode(output, type=dict[str, str]) == {"may-read-renewed": "renewed"}
