"""A PostgreSQL and a service that are restarted after a crash, as by systemd or Kubernetes."""

import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

from ingest import embedded
from ingest.embedded import EmbeddedServer
from ingest.errors import CannotStart
from tests.support import cluster, service
from tests.support.service import Server, is_gone

START_S_MAX = 60.0
STOP_S_MAX = 70.0  # Longer than the service gives its workers.
# Below the ports of outgoing connections, so that no other process gets them while the service is down, and no
# client's connection to a closed port can happen to connect to itself.
PORTS = range(10_000, 30_000)


class Deployment:
    """A PostgreSQL with its defaults, fsync included, and a service, each always at the same address."""

    def __init__(self, checkout: Path, workers: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="nocontent-faults-", dir="/tmp"))
        self.folder.chmod(0o711)  # The account that runs root's PostgreSQL has to pass.
        self.log = self.folder / "serve.log"
        self._sockets = self.folder / "sockets"
        self.dsn = f"postgresql://postgres@/nocontent?host={quote(str(self._sockets), safe='')}&port=5432"
        self.service_starts = self.database_starts = self.database_refusals = 0
        self._checkout = checkout
        bind, metrics_bind = (f"127.0.0.1:{port}" for port in free_ports(2))
        self.bind = bind
        self.environment = service.environment(
            self.dsn, bind=bind, metrics_bind=metrics_bind, workers=workers, drain_s=0
        ) | {"PYTHONPATH": str(checkout), "TMPDIR": str(self.folder)}  # fmt: skip
        self._workers = workers
        self._metrics_bind = metrics_bind
        self.proxies: list[subprocess.Popen[str]] = []  # Of senders; those that are dead among them.
        self._postgres: EmbeddedServer | None = None
        self._server: Server | None = None
        self._jobs: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        """Start PostgreSQL and create the tables."""
        self._start_database()
        migrated = subprocess.run(
            [sys.executable, "-m", "ingest", "migrate"],
            cwd=self._checkout, env=self.environment, capture_output=True, timeout=START_S_MAX, check=False,
        )  # fmt: skip
        if migrated.returncode != 0:
            raise CannotStart(migrated.stderr.decode())

    def close(self) -> None:
        """Stop whatever is running."""
        for proxy in self.proxies:
            proxy.kill()
        if self._jobs is not None:
            self._jobs.kill()
            self._jobs.wait()
        if self._server is not None and self._server.process.poll() is None:
            self._server.process.kill()
            self._server.process.wait()
        if self._postgres is not None:
            self._postgres.stop()

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def postmaster(self) -> int:
        assert self._postgres is not None
        return self._postgres.pid

    @property
    def jobs(self) -> "subprocess.Popen[bytes]":
        assert self._jobs is not None
        return self._jobs

    @property
    def server(self) -> Server:
        assert self._server is not None
        return self._server

    def mend(self) -> None:
        """Start whatever is not running; return once PostgreSQL accepts connections, not waiting for the service."""
        if self._postgres is None or is_gone(self._postgres.pid):
            self._start_database()
        if self._server is None or self._server.process.poll() is not None:
            self._start_service()
        if self._jobs is None or self._jobs.poll() is not None:
            self._jobs = self._start("jobs")

    def finish_jobs(self) -> tuple[int | None, int]:
        """Stop the process of jobs, and do all that is left; return both exit statuses."""
        self.jobs.terminate()
        stopped = self.jobs.wait(STOP_S_MAX)
        return stopped, self._start("jobs", "--once").wait(START_S_MAX)

    def service_status(self) -> int | None:
        """Wait until the service has ended, and return its exit status, or None if it had to be killed."""
        process = self.server.process
        try:
            return process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return None

    def _start_database(self) -> None:
        if self._postgres is not None:
            self._postgres.stop()  # It is dead; this removes what it left.
        give_up_at = time.monotonic() + START_S_MAX
        while True:
            try:
                self._postgres = embedded.start(self.folder / "pg")
                break
            except CannotStart:
                # The backends of a killed postmaster keep its folder until they have noticed.
                self.database_refusals += 1
                if time.monotonic() > give_up_at:
                    raise
        self.database_starts += 1
        link = self.folder / "sockets.new"
        link.symlink_to(cluster.sockets(self._postgres.dsn))
        link.replace(self._sockets)

    def _start_service(self) -> None:
        self.service_starts += 1
        process = self._start("serve")
        self._server = Server(process, self.bind, self._metrics_bind, self.dsn, self.log, self._workers)

    def _start(self, *command: str) -> "subprocess.Popen[bytes]":
        with self.log.open("ab") as lines:
            return subprocess.Popen(
                [sys.executable, "-m", "ingest", *command],
                cwd=self._checkout, env=self.environment, stdout=lines, stderr=lines,
            )  # fmt: skip


def free_ports(count: int) -> list[int]:
    found: list[int] = []
    for port in random.SystemRandom().sample(PORTS, len(PORTS)):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            break
    return found
