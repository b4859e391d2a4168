"""A gateway with its companion, a provider, the service and PostgreSQL, each started again when it has ended."""

import signal
import subprocess
import sys
from pathlib import Path

from tests.faults import deployment
from tests.faults.deployment import START_S_MAX, STOP_S_MAX
from tests.support import service
from tests.support.customers import Customer, CustomerSpec, prepare
from tests.support.service import ROOT, children, is_gone, wait_until

TENANT = CustomerSpec(scopes=("gateway:use",))
Process = subprocess.Popen[bytes]


class Deployment:
    """Everything of a hosted gateway on this machine; the gateway's spool is a folder."""

    def __init__(self, workers: int) -> None:
        self.behind = deployment.Deployment(ROOT, 1)  # The service, its jobs and PostgreSQL.
        self.port, metrics_port, self._provider_port = deployment.free_ports(3)
        key_file = self.behind.folder / "gateway-keys"
        keygen = [sys.executable, "-m", "ingest", "gateway", "keygen", str(key_file)]
        subprocess.run(
            keygen, cwd=ROOT, env=self.behind.environment, check=True, timeout=START_S_MAX, capture_output=True
        )
        self.behind.environment["NOCONTENT_GATEWAY_KEY_FILE"] = str(key_file)
        settings: dict[str, object] = {
            "gateway_bind": f"127.0.0.1:{self.port}", "gateway_metrics_bind": f"127.0.0.1:{metrics_port}",
            "gateway_service_url": f"http://{self.behind.bind}", "gateway_key_file": key_file,
            "gateway_anthropic_url": f"http://127.0.0.1:{self._provider_port}",
            "gateway_spool": self.behind.folder / "spool", "gateway_drain_s": 2, "drain_s": 0, "workers": workers,
        }  # fmt: skip
        self._environment = service.environment("", **settings) | {"TMPDIR": str(self.behind.folder)}
        del self._environment["NOCONTENT_DSN"]
        self._gateway: Process | None = None
        self._provider: Process | None = None
        self.starts = {"gateway": 0, "provider": 0}

    @property
    def gateway(self) -> Process:
        assert self._gateway is not None
        return self._gateway

    @property
    def provider(self) -> Process:
        assert self._provider is not None
        return self._provider

    def begin(self) -> Customer:
        """Start everything, and return a tenant with a token of the gateway's."""
        self.behind.prepare()
        customer = prepare(self.behind.dsn, {"gateway": TENANT})["gateway"]
        self.mend()
        return customer

    def mend(self) -> None:
        """Start whatever is not running."""
        self.behind.mend()
        if self._provider is None or self._provider.poll() is not None:
            self._provider = self._started("provider", "tests.gateway.faults.provider", str(self._provider_port))
        if self._gateway is None or self._gateway.poll() is not None:
            self._gateway = self._started("gateway", "ingest", "gateway")

    def workers(self) -> list[int]:
        """Return the workers of the gateway."""
        return self._children_with(b"multiprocessing.spawn")

    def companions(self) -> list[int]:
        return self._children_with(b"ingest.gateway.companion")

    def end_gateway(self) -> int:
        """SIGTERM the gateway, and return its status; what its companion could not send is in the spool."""
        self.gateway.send_signal(signal.SIGTERM)
        return self.gateway.wait(STOP_S_MAX)

    def kill_gateway(self) -> None:
        """SIGKILL the parent; its workers end with it."""
        workers = self.workers()
        self.gateway.kill()
        self.gateway.wait()
        wait_until(lambda: all(map(is_gone, workers)), lambda: "a worker outlived its parent")

    def close(self) -> None:
        for process in (self._gateway, self._provider):
            if process is not None:
                process.kill()
                process.wait()
        self.behind.close()

    def _children_with(self, words: bytes) -> list[int]:
        return [pid for pid in children(self.gateway.pid) if words in _command_of(pid)]

    def _started(self, name: str, *command: str) -> Process:
        self.starts[name] += 1
        with self.behind.log.open("ab") as lines:
            return subprocess.Popen(
                [sys.executable, "-m", *command], cwd=ROOT, env=self._environment, stdout=lines, stderr=lines
            )


def _command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")
    except (FileNotFoundError, ProcessLookupError):
        return b""
