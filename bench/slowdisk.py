"""A PostgreSQL whose fdatasync can be slowed while it runs, by a shim loaded before the C library.

Needs a C compiler and Linux, but not root. The delay is in a file that the shim maps, so nothing is restarted.
"""

import os
import shutil
import signal
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from ingest import embedded
from ingest.embedded.process import Account, find_programs, server_state
from ingest.errors import CannotStart
from ingest.serving import process

SOURCE = Path(__file__).with_name("slowsync.c")
READY_WAIT_S = 30.0
STOP_WAIT_S = 60.0
POLL_S = 0.02


class SlowDisk:
    """The file that holds the delay."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.set_delay(0)

    def set_delay(self, delay_ms: int) -> None:
        """Delay every fdatasync by this much from now on."""
        with self._path.open("r+b" if self._path.exists() else "wb") as file:
            file.write(struct.pack("@l", delay_ms * 1_000))


def why_not() -> str:
    """Return why this machine cannot do it, or an empty string."""
    return "" if shutil.which("cc") else "no C compiler (cc) to build bench/slowsync.c with"


@contextmanager
def started(data_dir: Path, settings: Mapping[str, str]) -> Iterator[tuple[str, int, SlowDisk]]:
    """Start PostgreSQL with the shim; yield its DSN, its pid and the disk."""
    embedded.start(data_dir).stop()  # Creates the cluster and the database.
    owner = data_dir.stat()
    folder, _ = find_programs(Account(owner.st_uid, owner.st_gid))
    sockets = Path(tempfile.mkdtemp(prefix="nocontent-bench-", dir="/tmp"))
    sockets.chmod(0o755)
    try:
        disk = SlowDisk(sockets / "delay")
        shim = sockets / "slowsync.so"
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", shim, SOURCE, "-ldl"], check=True, timeout=60)
        os.chown(sockets, owner.st_uid, owner.st_gid)
        address = {"listen_addresses": "", "unix_socket_directories": str(sockets), "port": "5432"}
        options = [option for name, value in {**settings, **address}.items() for option in ("-c", f"{name}={value}")]
        with Path(f"{data_dir}.log").open("ab") as log:
            child = subprocess.Popen(
                [folder / "postgres", "-D", data_dir, *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env={
                    "PATH": os.defpath,
                    "LC_ALL": "C",
                    "TZ": "UTC",
                    "LD_PRELOAD": str(shim),
                    "SLOWSYNC_FILE": f"{sockets}/delay",
                },
                user=owner.st_uid,
                group=owner.st_gid,
                extra_groups=[] if os.geteuid() == 0 else None,
                start_new_session=True,
                preexec_fn=_end_with_parent,  # noqa: PLW1509 (one system call, and this process has one thread)
            )
        try:
            _wait_ready(child, data_dir)
            dsn = f"postgresql://postgres@/nocontent?host={quote(str(sockets), safe='')}&port=5432"
            yield dsn, child.pid, disk
        finally:
            disk.set_delay(0)
            child.send_signal(signal.SIGINT)
            child.wait(STOP_WAIT_S)
    finally:
        shutil.rmtree(sockets, ignore_errors=True)


def _end_with_parent() -> None:
    process.end_with_parent(signal.SIGINT)  # PostgreSQL's fast shutdown.


def _wait_ready(child: "subprocess.Popen[bytes]", data_dir: Path) -> None:
    deadline = time.monotonic() + READY_WAIT_S
    while server_state(data_dir) != (child.pid, "ready"):
        if child.poll() is not None or time.monotonic() > deadline:
            raise CannotStart(f"PostgreSQL did not start with {SOURCE.name}: see {data_dir}.log")
        time.sleep(POLL_S)
