"""The systems under load, each run until its block ends: no gateway, ours with everything on, and two others."""

import contextlib
import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from bench.results import ROOT
from ingest import config
from ingest.demo import local_service
from ingest.knowledge import keys
from ingest.knowledge.gateway import TAG, GatewayTenant, Route
from ingest.serving import process
from tests.gateway.service import grant
from tests.support.service import free_ports

READY_WAIT_S = 120.0  # LiteLLM imports for long.
STOP_WAIT_S = 15.0
POLL_S = 0.005
HOME = ROOT / ".venv-litellm"  # Made by `make bench-gateway`.
PROVIDER_KEY = "sk-ant-of-the-benchmark"
LITELLM_KEY = "sk-of-the-benchmark"
# All that a tenant can have: the classifier, a table, and a tag for the reason of each decision.
TENANT = GatewayTenant(
    tenant_id=1,
    mode="on",
    confidence_min=1,
    categories=("chat", "code_generation", "math", "summarization"),
    routes=tuple(Route(category, "claude-haiku-4-5") for category in ("code_generation", "math", "summarization")),
    concurrency_max=4_000,
    tags=(TAG,),
)


class Target(NamedTuple):
    """A running system."""

    port: int
    fields: Mapping[str, str]  # With each request.
    pid: int | None = None
    start_s: float = 0.0
    path: str = "/v1/messages"


@contextlib.contextmanager
def upstream(folder: Path) -> Iterator[int]:
    """Yield the port of the provider."""
    (port,) = free_ports(1)
    with _started([sys.executable, "-m", "bench.gateway.upstream", str(port)], {}, folder / "upstream.log") as child:
        _wait(child, port, "/", folder / "upstream.log")
        yield port


@contextlib.contextmanager
def direct(upstream_port: int, _folder: Path) -> Iterator[Target]:
    yield Target(upstream_port, {"x-api-key": PROVIDER_KEY})


@contextlib.contextmanager
def ours(upstream_port: int, folder: Path) -> Iterator[Target]:
    """Run one worker with its companion, confined, with a service that takes what is reported."""
    port, metrics_port, service_port = free_ports(3)
    snapshot, tokens = grant(TENANT)
    key_file = folder / "gateway-keys"
    key_file.unlink(missing_ok=True)
    keys.write(key_file)
    own = {
        "NOCONTENT_GATEWAY_BIND": f"127.0.0.1:{port}",
        "NOCONTENT_GATEWAY_METRICS_BIND": f"127.0.0.1:{metrics_port}",
        "NOCONTENT_GATEWAY_KEY_FILE": str(key_file),
        "NOCONTENT_GATEWAY_SERVICE_URL": f"http://127.0.0.1:{service_port}",
        "NOCONTENT_GATEWAY_ANTHROPIC_URL": f"http://127.0.0.1:{upstream_port}",
        "NOCONTENT_DRAIN_S": "0",
    }
    fields = {"x-api-key": PROVIDER_KEY, "x-nocontent-token": tokens[1], "anthropic-version": "2023-06-01"}
    asked = folder / "snapshot.json"
    asked.write_bytes(msgspec.json.encode(snapshot))
    service = [sys.executable, "-m", "bench.gateway.service", str(service_port), str(asked)]
    with _started(service, {}, folder / "service.log") as taking:
        _wait(taking, service_port, "/v1/gateway/snapshot", folder / "service.log")
        gateway = [sys.executable, "-m", "ingest", "gateway"]
        with _served(gateway, own, (port, "/readyz"), folder / "ours.log") as target:
            yield target._replace(fields=fields)


@contextlib.contextmanager
def starlette(upstream_port: int, folder: Path) -> Iterator[Target]:
    (port,) = free_ports(1)
    program = [str(HOME / "bin/python"), "-m", "bench.peers.gateway_starlette", str(port)]
    own = {"PYTHONPATH": str(ROOT)}
    command = [*program, f"http://127.0.0.1:{upstream_port}"]
    with _served(command, own, (port, "/readyz"), folder / "starlette.log") as target:
        yield target._replace(fields={"x-api-key": PROVIDER_KEY, "anthropic-version": "2023-06-01"})


@contextlib.contextmanager
def litellm(upstream_port: int, folder: Path) -> Iterator[Target]:
    """Run LiteLLM's proxy with one worker, without a database, a cache or logging."""
    (port,) = free_ports(1)
    model = {
        "model_name": "claude-opus-4-5-20251101",
        "litellm_params": {
            "model": "anthropic/claude-opus-4-5-20251101",
            "api_base": f"http://127.0.0.1:{upstream_port}",
            "api_key": PROVIDER_KEY,
        },
    }
    settings = folder / "litellm.json"  # YAML reads it.
    settings.write_text(json.dumps({"model_list": [model], "general_settings": {"master_key": LITELLM_KEY}}))
    own = {"LITELLM_LOG": "ERROR", "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MODE": "PRODUCTION"}
    command = [str(HOME / "bin/litellm"), "--config", str(settings), "--port", str(port), "--host", "127.0.0.1"]
    with _served(command, own, (port, "/health/liveliness"), folder / "litellm.log") as target:
        yield target._replace(fields={"x-api-key": LITELLM_KEY, "anthropic-version": "2023-06-01"})


SYSTEMS = {"direct": direct, "ours": ours, "starlette": starlette, "litellm": litellm}


def why_not(name: str) -> str:
    """Return why a system cannot run here, or an empty string."""
    is_there = name in {"direct", "ours"} or (HOME / ".done").exists()
    return "" if is_there else f"not installed: `make {HOME.name}/.done` does it"


@contextlib.contextmanager
def _served(command: Sequence[str], own: Mapping[str, str], ready: tuple[int, str], log: Path) -> Iterator[Target]:
    began_s = time.perf_counter()
    with _started(command, own, log) as child:
        _wait(child, *ready, log)
        yield Target(ready[0], {}, child.pid, time.perf_counter() - began_s)


@contextlib.contextmanager
def _started(command: Sequence[str], own: Mapping[str, str], log: Path) -> "Iterator[subprocess.Popen[bytes]]":
    # A start that has to compile all of its source is none that a deployment has.
    ours = (config.PREFIX, "PYTHONDONTWRITEBYTECODE")
    others = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    with log.open("wb") as lines:
        child = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**others, **own},
            stdout=lines,
            stderr=lines,
            preexec_fn=process.end_with_parent,  # noqa: PLW1509 (one system call, and this process has no lock in it)
        )
    try:
        yield child
    finally:
        local_service.stop(child, STOP_WAIT_S)


def _wait(child: "subprocess.Popen[bytes]", port: int, path: str, log: Path) -> None:
    ends_s = time.monotonic() + READY_WAIT_S
    while not _answers(port, path):
        if child.poll() is not None or time.monotonic() > ends_s:
            raise SystemExit(f"{child.args!r} did not start:\n{log.read_text('utf-8', 'replace')[-4_000:]}")
        time.sleep(POLL_S)


def _answers(port: int, path: str) -> bool:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        try:
            connection.request("GET", path)
            return connection.getresponse().status == http.HTTPStatus.OK
        except OSError:
            return False


def rss_mb(pid: int) -> dict[int, float]:
    """Return the memory of a process and of all below it, in MB."""
    found: dict[int, float] = {}
    for each in _family(pid):
        with contextlib.suppress(OSError):
            status = Path(f"/proc/{each}/status").read_text("ascii")
            found[each] = int(status.partition("VmRSS:")[2].split()[0]) / 1_024
    return found


def cpu_s(pid: int) -> dict[int, float]:
    """Return the CPU time of a process and of all below it, in seconds."""
    found: dict[int, float] = {}
    for each in _family(pid):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{each}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
            found[each] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # proc_pid_stat(5).
    return found


def _family(pid: int) -> Iterator[int]:
    todo = [pid]
    while todo:
        each = todo.pop()
        yield each
        with contextlib.suppress(OSError):
            for children in Path(f"/proc/{each}/task").glob("*/children"):
                todo += [int(child) for child in children.read_text("ascii").split()]
