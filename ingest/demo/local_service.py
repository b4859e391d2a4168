"""A service on this machine in a process of its own, and its preparation: tables, a tenant, a token, a login."""

import dataclasses
import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import IO, Literal

from ingest import config
from ingest.demo.settings import DemoSettings
from ingest.errors import CannotStart
from ingest.serving import process
from ingest.store import connections, maintenance, migrate, privileges, tenants, tokens, vocabulary
from ingest.store.connections import Connection
from schema.event import Kind
from schema.learning import Candidate
from schema.vocabulary import Mode

READY_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 70.0  # Longer than the supervisor waits for its workers.
POLL_S = 0.05
TOKEN_DAYS = 30
_BINDS = {"serve": "bind", "console": "console_bind", "gateway": "gateway_bind"}  # Settings.
_OURS = (sys.executable, "-P", "-m", "ingest")  # -P: import nothing from the caller's folder.


async def prepare(settings: DemoSettings, name: str, tags: Mapping[str, Sequence[str]]) -> str:
    """Migrate, add a tenant with tags, and return a token for it."""
    operator = await connections.connect_as_operator(settings.dsn)
    try:
        await migrate.migrate(operator)
    finally:
        await connections.close(operator)
    await maintenance.keep(settings.dsn, settings.retention_days)
    async with connections.connected(settings.dsn, "nocontent_control") as connection:
        tenant = await _add_tenant(connection, name, tags)
        return await tokens.issue(connection, tenant, tokens.SCOPES_DEFAULT, timedelta(days=TOKEN_DAYS))


async def find(dsn: str, name: str) -> int:
    """Return a tenant's number."""
    async with connections.connected(dsn, "nocontent_control") as connection:
        return await tenants.find(connection, name)


async def add_learner(dsn: str, name: str, tags: Mapping[str, Sequence[str]]) -> str:
    """Add a tenant in mode `learn` for every kind, and return a token with `vocabulary:write`."""
    async with connections.connected(dsn, "nocontent_control") as connection:
        tenant = await _add_tenant(connection, name, tags)
        for kind in tenants.KINDS_WITH_MODE:
            await tenants.set_mode(connection, tenant, kind, Mode.LEARN)
        return await tokens.issue(connection, tenant, tokens.SCOPES, timedelta(days=TOKEN_DAYS))


async def add_tenant(dsn: str, name: str, tags: Mapping[str, Sequence[str]]) -> str:
    """Add a tenant with tags, and return a token for it."""
    async with connections.connected(dsn, "nocontent_control") as connection:
        tenant = await _add_tenant(connection, name, tags)
        return await tokens.issue(connection, tenant, tokens.SCOPES_DEFAULT, timedelta(days=TOKEN_DAYS))


async def _add_tenant(connection: Connection, name: str, tags: Mapping[str, Sequence[str]]) -> int:
    tenant = await tenants.add(connection, name)
    for key, values in tags.items():
        await vocabulary.declare_tag(connection, tenant, key)
        key_id = await vocabulary.tag_key_id(connection, tenant, key)
        assert key_id is not None
        for value in values:
            await vocabulary.add(connection, tenant, Candidate(Kind.TAG_VALUE, key_id, value))
    return tenant


async def as_login(dsn: str, login: str) -> str:
    """Create a login that is not a superuser in an embedded PostgreSQL, and return a DSN for it."""
    operator = await connections.connect_as_operator(dsn)
    try:
        await privileges.make_login(operator, login)
    finally:
        await connections.close(operator)
    return dsn.replace("//postgres@", f"//{login}@", 1)


@contextmanager
def serving(
    settings: DemoSettings, log: Path, command: Literal["serve", "console", "gateway"] = "serve"
) -> Iterator["subprocess.Popen[bytes]"]:
    """Serve until the block ends, with the log in a file."""
    own = dataclasses.replace(settings, drain_s=0)  # No load balancer to wait for.
    with own_file(log) as lines:
        child = subprocess.Popen(  # noqa: S603 (our own command)
            [*_OURS, command],
            env=environment(own),
            stdout=lines,
            stderr=lines,
            preexec_fn=process.end_with_parent,  # noqa: PLW1509 (one system call, and this process has one thread)
        )
    try:
        wait_ready(getattr(settings, _BINDS[command]), child, log)
        yield child
    finally:
        stop(child, STOP_TIMEOUT_S)


def stop(child: "subprocess.Popen[bytes]", timeout_s: float) -> None:
    """Ask a process to end, and kill it if it has not after a while."""
    child.terminate()
    try:
        child.wait(timeout_s)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def run(settings: config.Settings, log: Path, *command: str) -> int:
    """Run a command of ours with its output at the end of a file; return its status."""
    with log.open("ab") as lines:
        done = subprocess.run(  # noqa: S603 (our own command)
            [*_OURS, *command], env=environment(settings), stdout=lines, stderr=lines, check=False
        )
    return done.returncode


def environment(settings: config.Settings) -> dict[str, str]:
    """Return the environment of a process of ours with these settings."""
    return config.environment(settings) | {"PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONSAFEPATH": "1"}


def own_file(path: Path) -> IO[bytes]:
    """Create a file that only we may read, replacing what is there, be it another user's file or a link."""
    try:
        path.unlink(missing_ok=True)
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb")
    except OSError:
        raise CannotStart("NOCONTENT_DATA_DIR contains a file that this user cannot replace.") from None


def own_folder(path: Path) -> Path:
    """Create a folder for our files, or raise CannotStart."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        return path.resolve()
    except (OSError, RuntimeError):  # RuntimeError: a link to itself.
        raise CannotStart("NOCONTENT_DATA_DIR is not a folder that this user can create or use.") from None


def wait_ready(bind: str, child: "subprocess.Popen[bytes]", log: Path) -> None:
    """Wait until the process is ready, or raise CannotStart."""
    deadline = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < deadline and child.poll() is None:
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
    raise CannotStart(f"The service did not become ready; see its log, {log}.")


def free_address(bind: str) -> str:
    """Return the address, or the same host with a free port if it is taken."""
    host, port = config.address(bind)
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            with suppress(OSError):  # Not an address of this machine; the service will report that.
                probe.bind((host, 0))
                return f"{bind.rpartition(':')[0]}:{probe.getsockname()[1]}"
    return bind
