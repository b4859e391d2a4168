"""Attempts to let content out, in a process that is confined as a gateway's worker is, with its settings.

As a program it makes them; it has no content. The kernel must refuse each; with the word `free` nothing is
confined, and they succeed.
"""

import errno
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec

from ingest.errors import CannotStart
from ingest.gateway import bounds
from ingest.gateway.confine import kernel

POSTGRESQL = 5_432
TIMEOUT_S = 60.0
_REFUSALS = {errno.EPERM, errno.EACCES}
_CRASH, _FREE = "crash", "free"
_CALL_S = 2.0


class Attempts(NamedTuple):
    """How the attempts ended: what was refused, what was not, and whether a crash left a core file."""

    refused: list[str]
    possible: list[str]
    dumps: bool


def attempts(environment: dict[str, str], folder: Path, *words: str) -> Attempts:
    """Run them with a gateway's settings, in a folder that they could write to. Raises CannotStart."""
    outcomes = msgspec.json.decode(_run(environment, folder, *words).stdout or b"{}", type=dict[str, bool])
    if not outcomes:
        raise CannotStart("The attempts could not be made: the process was not confined.")
    refused = sorted(name for name, is_refused in outcomes.items() if is_refused)
    return Attempts(refused, sorted(outcomes.keys() - set(refused)), _dumps(environment, folder, *words))


def _run(environment: dict[str, str], folder: Path, *words: str) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(  # noqa: S603 (our own code)
        [sys.executable, "-m", __name__, *words],
        env=environment, cwd=folder, capture_output=True, check=False, timeout=TIMEOUT_S,
    )  # fmt: skip


def _dumps(environment: dict[str, str], folder: Path, *words: str) -> bool:
    """Let such a process crash, and return whether the kernel kept its memory."""
    with subprocess.Popen(  # noqa: S603 (our own code)
        [sys.executable, "-m", __name__, _CRASH, *words], env=environment, cwd=folder, stderr=subprocess.DEVNULL
    ) as process:
        ended = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    return ended is None or ended.si_code != os.CLD_KILLED or ended.si_status != signal.SIGSEGV


def _write(path: Path) -> None:
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
    path.unlink()


def _connect(port: int) -> None:
    with socket.socket() as client:
        client.settimeout(_CALL_S)
        client.connect(("127.0.0.1", port))


def _fork() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


_MINE = f"nocontent-attempt-{os.getpid()}"
ATTEMPTS: dict[str, Callable[[], object]] = {
    "write to the working directory": lambda: _write(Path(_MINE)),
    "write to the folder for temporary files": lambda: _write(Path(tempfile.gettempdir(), _MINE)),
    "write to shared memory": lambda: _write(Path("/dev", "shm", _MINE)),
    "open its own memory": lambda: os.close(os.open("/proc/self/mem", os.O_RDWR)),
    "make memory that lasts": lambda: os.close(os.memfd_create(_MINE)),
    "reach PostgreSQL by TCP": lambda: _connect(POSTGRESQL),
    "reach PostgreSQL by its socket": lambda: socket.socket(socket.AF_UNIX).close(),
    "start a process": _fork,
    "become another program": lambda: os.execv("/nowhere", ["nowhere"]),  # noqa: S606 (nothing)
    "let others read its memory": lambda: kernel.prctl(kernel.PR_SET_DUMPABLE, 1),
    "send around the rules for ports": lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1).close(),
    "accept connections": lambda: socket.create_server(("127.0.0.1", 0)).close(),
}  # fmt: skip


def _is_refused(act: Callable[[], object]) -> bool:
    try:
        act()
    except OSError as failure:
        return failure.errno in _REFUSALS
    return False


def _main(words: list[str]) -> None:
    tempfile.gettempdir()  # It writes a file to find the folder, once.
    if _FREE not in words:
        bounds.hold_worker()
    if _CRASH in words:
        os.kill(os.getpid(), signal.SIGSEGV)
    sys.stdout.buffer.write(msgspec.json.encode({name: _is_refused(act) for name, act in ATTEMPTS.items()}))


if __name__ == "__main__":
    _main(sys.argv[1:])
