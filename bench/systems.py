"""The services under load, each run until its block ends: ours, as an operator starts it, and the peers."""

import http.client
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from bench.child import ChildFailed
from bench.cluster import EVENTS, Cluster, Stage
from bench.results import ROOT
from bench.scenario import Scenario, System
from ingest.demo import local_service
from ingest.demo.settings import DemoSettings
from ingest.serving import process

READY_WAIT_S = 120.0  # Phoenix migrates its database first.
STOP_WAIT_S = 30.0
POLL_S = 0.05
READY_IN_A_ROW = 8  # Each over a new connection, so that probably every worker has answered.
PEER_TOKEN = "bench"
_RECENT = timedelta(hours=1)
# Each system's own environment, made by `make bench`.
_PYTHON, _PHOENIX, _NODE = ROOT / ".venv-bench", ROOT / ".venv-phoenix", ROOT / ".bench/node"
_HOMES: Mapping[System, Path] = {
    "fastapi_sqlalchemy": _PYTHON,
    "fastapi_copy": _PYTHON,
    "node_unnest": _NODE,
    "phoenix": _PHOENIX,
}


class Target(NamedTuple):
    """A running service under load."""

    port: int
    pid: int
    dsn: str
    table: str
    counted: str  # The SQL that selects this run's rows.
    tokens: Sequence[str]


def why_not(system: System) -> str:
    """Return why a system cannot run here, or an empty string."""
    done = _HOMES[system] / ".done" if system in _HOMES else ROOT
    return "" if done.exists() else f"not installed: `make {done.relative_to(ROOT)}` does it"


@contextmanager
def serving(cluster: Cluster, stage: Stage, scenario: Scenario, log: Path) -> Iterator[Target]:
    """Start the system of a scenario."""
    if scenario.system == "ours":
        with _ours(stage, scenario, log) as target:
            yield target
    else:
        with _peer(cluster, scenario, log) as target:
            yield target


@contextmanager
def _ours(stage: Stage, scenario: Scenario, log: Path) -> Iterator[Target]:
    port, metrics_port = _free_ports(2)
    settings = DemoSettings(
        dsn=stage.dsn,
        bind=f"127.0.0.1:{port}",
        metrics_bind=f"127.0.0.1:{metrics_port}",
        workers=scenario.workers,
        writer_connections=scenario.writer_connections,
        retention_days=stage.retention_days,
        jobs=scenario.jobs,
    )
    with local_service.serving(settings, log) as child:
        _wait_ready(child, port, "/readyz")
        # A fixed time, so that the rows from before stay excluded.
        counted = f"{EVENTS} WHERE occurred_at > '{datetime.now(UTC) - _RECENT}'" if stage.keeps_rows else EVENTS
        yield Target(port, child.pid, stage.dsn, EVENTS, counted, stage.tokens)


@contextmanager
def _peer(cluster: Cluster, scenario: Scenario, log: Path) -> Iterator[Target]:
    (port,) = _free_ports(1)
    name = scenario.system
    dsn = cluster.create(name)
    command, own = _command(name, port, dsn)
    ready, table = ("/healthz", "spans") if name == "phoenix" else ("/readyz", name)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **own}
    with log.open("wb") as lines:
        child = subprocess.Popen(
            command,
            cwd=_NODE if name == "node_unnest" else ROOT,
            env=environment,
            stdout=lines,
            stderr=lines,
            preexec_fn=process.end_with_parent,  # noqa: PLW1509 (one system call, and this process has one thread)
        )
    try:
        _wait_ready(child, port, ready)
        yield Target(port, child.pid, dsn, table, table, [PEER_TOKEN])
    finally:
        local_service.stop(child, STOP_WAIT_S)


def _command(name: str, port: int, dsn: str) -> tuple[list[str], Mapping[str, str]]:
    contract = {"BENCH_DSN": dsn, "BENCH_TOKEN": PEER_TOKEN, "BENCH_PORT": str(port), "NODE_ENV": "production"}
    if name == "node_unnest":
        return ["node", "server.js"], contract
    if name == "phoenix":
        (free,) = _free_ports(1)
        own = {
            "PHOENIX_SQL_DATABASE_URL": dsn,
            "PHOENIX_HOST": "127.0.0.1",
            "PHOENIX_PORT": str(port),
            "PHOENIX_GRPC_PORT": str(free),
            "PHOENIX_WORKING_DIR": str(_PHOENIX / "data"),
            "PHOENIX_TELEMETRY_ENABLED": "false",
            "PHOENIX_ALLOW_EXTERNAL_RESOURCES": "false",
        }
        return [str(_PHOENIX / "bin/phoenix"), "serve"], own
    uvicorn = [str(_PYTHON / "bin/python"), "-P", "-m", "uvicorn", f"bench.peers.{name}:app"]
    return [*uvicorn, "--host=127.0.0.1", f"--port={port}", "--no-access-log", "--log-level=warning"], contract


def _wait_ready(child: "subprocess.Popen[bytes]", port: int, path: str) -> None:
    deadline = time.monotonic() + READY_WAIT_S
    answered = 0
    while answered < READY_IN_A_ROW:
        if child.poll() is not None or time.monotonic() > deadline:
            raise ChildFailed(f"{child.args!r} did not become ready; see the logs in .bench/logs")
        answered = answered + 1 if _is_ready(port, path) else 0
        if not answered:
            time.sleep(POLL_S)


def _is_ready(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status < 300
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _free_ports(count: int) -> list[int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports
