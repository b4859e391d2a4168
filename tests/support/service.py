"""`nocontent serve` as an operator runs it: a separate process on free ports, with its log in a file."""

import contextlib
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

from tests.support.certificates import Pair
from tests.support.wire import Sender

ROOT = Path(__file__).resolve().parents[2]
WORKERS = 2
WAIT_S = 30.0
Logged = Callable[[], list[dict[str, object]]]  # What the fixture `logged` lends.
POLL_S = 0.02
START_POLL_S = 0.06  # A look for workers reads some hundred links of /proc, and a start takes a second or two.
_LISTENS = re.compile(r" *\d+: \S+ \S+ 0A ")  # proc_net_tcp(5).


class Server(NamedTuple):
    """A server process with its workers."""

    process: "subprocess.Popen[bytes]"
    bind: str
    metrics_bind: str
    dsn: str
    log: Path
    worker_count: int = WORKERS
    trust: ssl.SSLContext | None = None

    def sender(self, token: str | None = None) -> Sender:
        return Sender(self.bind, token, self.trust)

    def workers(self) -> list[int]:
        """Return the pids of the workers: the children that hold the listening socket."""
        listening = _inodes(int(self.bind.rpartition(":")[2]), 0)
        return [pid for pid in children(self.process.pid) if _holds(pid, listening)] if listening else []

    def worker_of(self, sender: Sender) -> int | None:
        """Return the pid of the worker that accepted a sender's connection."""
        return next((pid for pid in self.workers() if self.holds(pid, sender.local_port())), None)

    def holds(self, worker: int, remote_port: int) -> bool:
        """Return whether a worker has accepted the connection from a port."""
        return _holds(worker, _inodes(int(self.bind.rpartition(":")[2]), remote_port))

    @contextlib.contextmanager
    def one_to_each_worker(self, token: str | None = None) -> Iterator[list[Sender]]:
        """Connect until every worker has accepted a connection; yield one of each."""
        found: dict[int, Sender] = {}
        with contextlib.ExitStack() as opened:
            deadline = time.monotonic() + WAIT_S
            while len(found) < self.worker_count:
                assert time.monotonic() < deadline
                sender = self.sender(token)
                opened.callback(sender.close)
                sender.get("/livez")
                pid = self.worker_of(sender)
                if pid is not None:
                    found.setdefault(pid, sender)
            yield list(found.values())


def environment(dsn: str, **settings: object) -> dict[str, str]:
    """Return the environment of a command, with no settings of ours but these."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("NOCONTENT_", "PG", "PROMETHEUS"))}
    given = {f"NOCONTENT_{name.upper()}": str(value) for name, value in settings.items()}
    where = {} if "dsn_file" in settings else {"NOCONTENT_DSN": dsn}
    return own | {"PYTHONPATH": str(ROOT)} | where | given


@contextlib.contextmanager
def serving(  # noqa: PLR0913 (each is another way to serve)
    dsn: str,
    log: Path,
    checkout: Path = ROOT,
    pair: Pair | None = None,
    into: int | None = None,
    *,
    variables: Mapping[str, str] = {},
    **settings: object,
) -> Iterator[Server]:
    """Serve a checkout on free ports until the block ends, over TLS if there is a pair.

    Output goes to the log, or to the open file `into`. With extra environment `variables`, such as faketime's, it need
    not become ready.
    """
    bind, metrics_bind = (f"127.0.0.1:{port}" for port in free_ports(2))
    wanted: dict[str, object] = {
        "bind": bind,
        "metrics_bind": metrics_bind,
        "workers": WORKERS,
        "drain_s": 0,
        **settings,
    }
    if pair is not None:
        wanted |= {"tls_cert_file": pair.cert, "tls_key_file": pair.key}
    with log.open("wb") as lines:
        process = subprocess.Popen(
            [sys.executable, "-m", "ingest", "serve"],
            cwd=checkout,
            env=environment(dsn, **wanted) | {"PYTHONPATH": str(checkout), **variables},
            stdout=lines if into is None else into,
            stderr=lines if into is None else into,
        )
    server = Server(process, bind, metrics_bind, dsn, log, int(str(wanted["workers"])), pair and pair.trusted())
    try:
        _wait_ready(server, is_ready=not variables)
        yield server
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(WAIT_S)


def command(
    *arguments: str, env: Mapping[str, str], stdin: bytes = b"", timeout_s: float = 60
) -> "subprocess.CompletedProcess[bytes]":
    """Run `nocontent` with these arguments to its end."""
    return subprocess.run(
        [sys.executable, "-m", "ingest", *arguments], env=env, input=stdin, capture_output=True, timeout=timeout_s,
        check=False,
    )  # fmt: skip


def wait_until(holds: Callable[[], bool], says: Callable[[], str] = lambda: "", poll_s: float = POLL_S) -> None:
    deadline = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < deadline, says()
        time.sleep(poll_s)


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as probes:
        ports = []
        for _ in range(count):
            probe = probes.enter_context(socket.socket())
            probe.bind(("127.0.0.1", 0))
            ports.append(int(probe.getsockname()[1]))
    return ports


def children(pid: int) -> list[int]:
    """Return the pids of a process's children (proc(5), PROC_CHILDREN)."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError):  # A thread ended, such as asyncio's for a host look-up.
            found += [int(child) for child in (task / "children").read_text().split()]
    return found


def is_gone(pid: int) -> bool:
    """Return whether a process has ended; a zombie has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def _wait_ready(server: Server, *, is_ready: bool) -> None:
    """Wait until every worker listens and knows its tenants, asking each one."""

    def are_listening() -> bool:
        assert server.process.poll() is None, server.log.read_text("utf-8", "replace")
        return len(server.workers()) == server.worker_count

    wait_until(are_listening, poll_s=START_POLL_S)
    if not is_ready:
        return
    with server.one_to_each_worker() as senders:
        for sender in senders:
            wait_until(partial(_is_ready, sender))


def _is_ready(sender: Sender) -> bool:
    return sender.get("/readyz").status == 200


def _inodes(local_port: int, remote_port: int) -> list[str]:
    """Return the inodes of listening sockets between two ports; these come first among possibly thousands of lines."""
    with Path("/proc/net/tcp").open() as rows:
        next(rows)
        text = rows.read() if remote_port else "".join(takewhile(_LISTENS.match, rows))
    return re.findall(rf"^ *\d+: \w+:{local_port:04X} \w+:{remote_port:04X} (?:\S+ +){{6}}(\d+)", text, re.MULTILINE)


def _holds(pid: int, inodes: Iterable[str]) -> bool:
    names = {f"socket:[{inode}]" for inode in inodes}
    with contextlib.suppress(FileNotFoundError):  # It has ended.
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                if str(link.readlink()) in names:
                    return True
    return False
