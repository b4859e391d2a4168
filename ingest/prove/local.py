"""A service of our own to prove: a new PostgreSQL, its tables, a tenant with tags, and `serve`."""

import asyncio
import http.client
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import msgspec

from ingest import config, embedded, lifeline, maintain
from ingest.config import Settings
from ingest.errors import CannotStart
from ingest.store import migrate, pool, tenants, tokens, vocabulary
from schema.event import Kind
from schema.vocabulary import Unlearned

TENANT = "prove"
TAGS = {"team": ("assistant", "editor", "search"), "region": ("eu", "us")}
READY_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 40.0
POLL_S = 0.05


class Here(NamedTuple):
    """What to prove and where to look."""

    url: str
    metrics_url: str
    dsn: str
    token: str
    pids: tuple[int, ...]
    logs: tuple[Path, ...]
    data_dir: Path
    folder: Path


@contextmanager
def service() -> Iterator[Here]:
    """Run everything until the block ends; then PostgreSQL is down and its files, which stay, are complete."""
    wanted = config.load()
    folder = Path(wanted.data_dir).resolve() / "prove" / str(time.time_ns())
    folder.mkdir(parents=True)
    with embedded.start(folder / "postgres") as server:
        bind, metrics_bind = _free(wanted.bind), _free(wanted.metrics_bind)
        settings = msgspec.structs.replace(wanted, dsn=server.dsn, bind=bind, metrics_bind=metrics_bind)
        token = asyncio.run(_prepare(settings))
        log = folder / "serve.log"
        with _serving(settings, log) as process:
            yield Here(
                url=f"http://{bind}",
                metrics_url=f"http://{metrics_bind}/metrics",
                dsn=server.dsn,
                token=token,
                pids=(process.pid, server.pid),
                logs=(log, Path(f"{server.data_dir}.log")),
                data_dir=server.data_dir,
                folder=folder,
            )


def remove(here: Here) -> None:
    """Remove what a run left. PostgreSQL's files may be elsewhere than asked, where its account can reach them."""
    for path in (here.data_dir, here.folder):
        shutil.rmtree(path, ignore_errors=True)
    for log in here.logs:
        log.unlink(missing_ok=True)


async def _prepare(settings: Settings) -> str:
    operator = await pool.connect_as_operator(settings.dsn)
    try:
        await migrate.migrate(operator)
    finally:
        await pool.close(operator)
    await maintain.keep(settings.dsn, settings.retention_days)
    async with pool.connected(settings.dsn, "nocontent_control") as connection:
        tenant = await tenants.add(connection, TENANT)
        for key, values in TAGS.items():
            await vocabulary.declare_tag(connection, tenant, key)
            key_id = await vocabulary.tag_key_id(connection, tenant, key)
            assert key_id is not None
            for value in values:
                await vocabulary.add(connection, tenant, Unlearned(Kind.TAG_VALUE, key_id, value))
        return await tokens.issue(connection, tenant, tokens.SCOPES_DEFAULT, datetime.now(UTC) + timedelta(days=1))


@contextmanager
def _serving(settings: Settings, log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    with log.open("wb") as lines:
        process = subprocess.Popen(
            [sys.executable, "-m", "ingest", "serve"],
            env=config.environment(settings) | {"PYTHONPATH": str(Path(__file__).parents[2])},
            stdout=lines,
            stderr=lines,
            preexec_fn=lifeline.end_with_parent,  # noqa: PLW1509 (one system call, and this process has one thread)
        )
    try:
        _wait_ready(settings.bind, process, log)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_ready(bind: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        connection = http.client.HTTPConnection(bind, timeout=2)
        try:
            connection.request("GET", "/readyz")
            if connection.getresponse().status == http.HTTPStatus.OK:
                return
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(POLL_S)
    raise CannotStart(f"The service did not become ready; its log is {log}.")


def _free(bind: str) -> str:
    """Give the address, or the same host with a free port where it is taken."""
    host, _, port = bind.rpartition(":")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, int(port)))
        except OSError:
            probe.bind((host, 0))
            return f"{host}:{probe.getsockname()[1]}"
    return bind
