"""Starts what is proved: a provider and a service in this process, and a gateway as customers run it."""

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from ingest.demo import local_service
from ingest.demo.provider import upstream
from ingest.demo.provider.server import Provider
from ingest.errors import CannotStart
from ingest.knowledge import keys
from ingest.prove.client import Address, address
from ingest.prove.gateway.service import Served, serving
from ingest.serving import process

BODY_BYTES_MAX = 268_435_456
STOP_S = 30.0


class Place(NamedTuple):
    """What surrounds a gateway: its settings, where it keeps files, and who it speaks to."""

    folder: Path  # Its working directory, its folder for temporary files, and its log's.
    environment: dict[str, str]
    bind: str
    metrics_bind: str
    provider: Provider
    service: Served

    @property
    def address(self) -> Address:
        return address(f"http://{self.bind}")

    @property
    def log(self) -> Path:
        return self.folder / "gateway.log"

    @property
    def temporary(self) -> Path:
        return self.folder / "tmp"


@contextmanager
def place() -> Iterator[Place]:
    """Serve the provider and the service until the block ends, and remove the folder then."""
    folder = Path(tempfile.mkdtemp(prefix="nocontent-prove-gateway-"))
    (folder / "tmp").mkdir()
    (folder / "keys").mkdir(mode=0o700)
    own = keys.write(folder / "keys" / "gateway-keys")
    try:
        with serving(own) as service, upstream.serving() as (url, provider):
            bind, metrics_bind = _free_addresses()
            settings = {
                "GATEWAY_BIND": bind, "GATEWAY_METRICS_BIND": metrics_bind, "GATEWAY_SERVICE_URL": service.url,
                "GATEWAY_KEY_FILE": str(folder / "keys" / "gateway-keys"), "GATEWAY_ANTHROPIC_URL": url,
                "GATEWAY_OPENAI_URL": url, "GATEWAY_BODY_BYTES_MAX": str(BODY_BYTES_MAX), "DRAIN_S": "0",
                "GATEWAY_FIRST_BYTE_TIMEOUT_S": "2", "GATEWAY_IDLE_TIMEOUT_S": "2", "GATEWAY_DRAIN_S": "5",
            }  # fmt: skip
            yield Place(folder, _environment(folder, settings), bind, metrics_bind, provider, service)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _environment(folder: Path, settings: dict[str, str]) -> dict[str, str]:
    root = str(Path(__file__).parents[3])
    inherited = {"PATH": "/usr/bin:/bin", "PYTHONPATH": root, "PYTHONSAFEPATH": "1", "TMPDIR": str(folder / "tmp")}
    return inherited | {f"NOCONTENT_{name}": value for name, value in settings.items()}


def _free_addresses() -> tuple[str, str]:
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{one.getsockname()[1]}", f"127.0.0.1:{other.getsockname()[1]}"


class Gateway(NamedTuple):
    """A running gateway: the process that was started, and the worker, which holds content."""

    parent: "subprocess.Popen[bytes]"
    worker: int


@contextmanager
def gateway(where: Place) -> Iterator[Gateway]:
    """Run a gateway until the block ends; its log is added to. Raises CannotStart."""
    with where.log.open("ab") as lines:
        parent = subprocess.Popen(
            [sys.executable, "-m", "ingest", "gateway"],
            env=where.environment, cwd=where.folder, stdout=lines, stderr=lines,
            preexec_fn=process.end_with_parent,  # noqa: PLW1509 (one system call)
        )  # fmt: skip
    try:
        local_service.wait_ready(where.bind, parent, where.log)
        yield Gateway(parent, _worker(parent.pid))
    finally:
        local_service.stop(parent, STOP_S)


def _worker(parent: int) -> int:
    """Return the process that serves, by the words that multiprocessing starts one with."""
    deadline = time.monotonic() + STOP_S
    while time.monotonic() < deadline:
        for child in children(parent):
            if b"--multiprocessing-fork" in _words(child):
                return child
        time.sleep(0.05)
    raise CannotStart("The gateway has no worker.")


def children(parent: int) -> list[int]:
    """Return the processes that a process has started."""
    found = []
    for file in Path(f"/proc/{parent}/task").glob("*/children"):
        found += [int(child) for child in file.read_text("ascii").split()]
    return found


def _words(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return []
