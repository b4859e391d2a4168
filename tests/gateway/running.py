"""A whole gateway for tests: `nocontent gateway` with its companion, the small service and the provider here."""

import contextlib
import http.client
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ingest.demo.provider import upstream
from ingest.demo.provider.upstream import Upstream
from ingest.knowledge.gateway import GatewayTenant
from tests.gateway.service import SmallService, grant, small_service
from tests.support.service import ROOT, WAIT_S, environment, free_ports, wait_until


class Running(NamedTuple):
    """A gateway that serves."""

    process: "subprocess.Popen[bytes]"
    bind: str
    metrics_bind: str
    token: str
    service: SmallService
    upstream: Upstream
    log: Path

    @property
    def url(self) -> str:
        return f"http://{self.bind}"


@contextlib.contextmanager
def running(folder: Path, tenant: GatewayTenant, **settings: object) -> Iterator[Running]:
    """Serve until the block ends; settings are those of `nocontent gateway`, such as gateway_confine."""
    snapshot, tokens = grant(tenant)
    with small_service(snapshot, folder) as service, upstream.serving() as provider:
        own: dict[str, object] = {"gateway_key_file": service.key_file, "gateway_service_url": service.url}
        with started(folder, provider, **own | settings) as gateway:
            yield Running(*gateway[:3], tokens[tenant.tenant_id], service, provider, gateway.log)


class Started(NamedTuple):
    """A gateway's processes."""

    process: "subprocess.Popen[bytes]"
    bind: str
    metrics_bind: str
    log: Path


@contextlib.contextmanager
def started(folder: Path, provider: Upstream, **settings: object) -> Iterator[Started]:
    """Start a gateway of the service that settings name, and stop it when the block ends."""
    bind, metrics_bind = (f"127.0.0.1:{port}" for port in free_ports(2))
    given: dict[str, object] = {
        "gateway_bind": bind, "gateway_metrics_bind": metrics_bind, "gateway_anthropic_url": provider.url,
        "gateway_openai_url": provider.url, "drain_s": 0,
    }  # fmt: skip
    env = environment("", **given | settings)
    env.pop("NOCONTENT_DSN")
    log = folder / "gateway.log"
    with log.open("wb") as lines:
        process = subprocess.Popen(
            [sys.executable, "-m", "ingest", "gateway"], cwd=ROOT, env=env, stdout=lines, stderr=lines
        )
    gateway = Started(process, bind, metrics_bind, log)
    try:
        wait_until(lambda: _is_ready(gateway), lambda: log.read_text("utf-8", "replace"))
        yield gateway
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(WAIT_S)


def _is_ready(gateway: Started) -> bool:
    assert gateway.process.poll() is None, gateway.log.read_text("utf-8", "replace")
    with contextlib.closing(http.client.HTTPConnection(gateway.bind, timeout=2)) as connection:
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == http.HTTPStatus.OK
        except OSError:
            return False
