"""Commands with impossible settings: one sentence from each, no traceback, and no name look-up."""

import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import service
from tests.support.cluster import Cluster
from tests.support.service import ROOT
from tests.support.wire import Sender

_HALVES = ("hunter2", "zq7canary")
_COMMANDS = (("serve",), ("migrate",), ("tenant", "list"), ("demo", "--once"))


@pytest.mark.parametrize("command", _COMMANDS)
def test_every_command_refuses_it_alike_and_asks_no_name_server(command: tuple[str, ...], tmp_path: Path) -> None:
    env = service.environment(f"postgresql://u:{'@'.join(_HALVES)}@h/d", data_dir=tmp_path / "data")
    ended = subprocess.run(
        [sys.executable, "-c", _NO_NAMES, *command], env=env, cwd=ROOT, capture_output=True, timeout=30, check=False
    )
    said = ended.stdout.decode() + ended.stderr.decode()
    assert ended.returncode == 2
    assert "percent-encode" in said
    assert not [half for half in _HALVES if half in said]
    assert "Traceback" not in said
    assert "looked up" not in said


_NO_NAMES = """
import socket, sys
def refuse(*args, **kwargs):
    print("looked up", args[0], file=sys.stderr)
    raise OSError
socket.getaddrinfo = refuse
sys.argv = ["nocontent", *sys.argv[1:]]
from ingest.__main__ import run
sys.exit(run())
"""


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"PGPORT": "99999"}, "PostgreSQL"),
        ({"PGPORT": "five"}, "PG"),
        ({"PGSSLMODE": "on"}, "PG"),
        ({"PGHOST": "a,,b"}, "PG"),
        ({"PGHOST": "127.0.0.1", "PGSSLMODE": "verify-full"}, "sslrootcert"),
        ({"PGHOST": "127.0.0.1", "PGSSLCERT": "/etc/passwd", "PGSSLMODE": "require"}, "certificate or key"),
        ({"PGHOST": "127.0.0.1", "PGPORT": "1"}, "does not answer"),
    ],
)
def test_what_the_environment_says_wrongly_is_told_without_a_traceback(variables: dict[str, str], says: str) -> None:
    ended = service.command("migrate", env=service.environment("postgresql://u:p@/d") | variables)
    said = ended.stderr.decode()
    assert ended.returncode == 2, said
    assert said.startswith("nocontent: ")
    assert said.count("\n") == 1
    assert says in said


_NAMELESS = """
import os, sys
import ingest.cli.upkeep  # While the current user may still read it.
from ingest.__main__ import run
os.setgid(54321)
os.setuid(54321)
sys.argv = ["nocontent", "migrate"]
sys.exit(run())
"""


def test_a_process_without_a_name_says_which_user_to_name() -> None:
    """As in a container: no passwd entry, no home."""
    if os.geteuid() != 0:
        pytest.skip("only root may become another user")
    env = service.environment("postgresql:///d") | {"HOME": ""}
    for name in ("USER", "LOGNAME", "LNAME", "USERNAME"):
        env.pop(name, None)
    ended = subprocess.run(
        [sys.executable, "-c", _NAMELESS], env=env, cwd="/", capture_output=True, timeout=30, check=False
    )
    assert b"names no user" in ended.stderr, ended.stderr


def test_a_bind_that_is_anothers_stops_the_start_by_its_name(postgres: Cluster) -> None:
    database = postgres.migrated()
    for name, bind in _taken():
        env = service.environment(database, **{"bind": "127.0.0.1:1", "metrics_bind": "127.0.0.1:1"} | {name: bind})
        ended = service.command("serve", env=env)
        said = ended.stderr.decode().splitlines()
        assert ended.returncode == 2
        assert "nocontent: NOCONTENT_BIND is in use" in said[-1] or name == "metrics_bind"
        assert not [line for line in said[:-1] if json.loads(line)["event"] == "bug"]
    postgres.drop(database)


def _taken() -> Iterator[tuple[str, str]]:
    yield "bind", "192.0.2.1:8080"  # Not an address of this machine.
    yield "bind", "[2001:db8::1]:8080"
    yield "bind", "no-such-host.invalid:8080"


def test_it_serves_on_an_ipv6_address_in_brackets(postgres: Cluster) -> None:
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            pytest.skip("this machine has no IPv6")
    bind, metrics_bind = (f"[::1]:{port}" for port in service.free_ports(2))
    database = postgres.migrated()
    env = service.environment(database, bind=bind, metrics_bind=metrics_bind, drain_s=0)
    process = subprocess.Popen([sys.executable, "-m", "ingest", "serve"], env=env, stderr=subprocess.DEVNULL)
    try:
        service.wait_until(lambda: _status(bind, "/readyz") == 200)
        assert _status(metrics_bind, "/metrics") == 200
    finally:
        process.terminate()
        assert process.wait(service.WAIT_S) == 0
    postgres.drop(database)


def _status(bind: str, path: str) -> int:
    with contextlib.closing(Sender(bind)) as sender, contextlib.suppress(OSError):
        return sender.get(path).status
    return 0
