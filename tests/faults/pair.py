"""A primary and its hot standby, both from the wheel, and one DSN that finds whichever accepts writes."""

import asyncio
import contextlib
from collections.abc import Iterator
from urllib.parse import quote

from ingest import embedded
from ingest.embedded import EmbeddedServer
from tests.faults import programs
from tests.support import cluster, postmaster
from tests.support.service import wait_until

_SETTINGS = {
    "max_connections": "100",
    "fsync": "off",  # Processes are killed and never the machine.
    "wal_retrieve_retry_interval": "50ms",  # How soon a standby looks for its primary again.
}
_STANDBY = _SETTINGS | {"cluster_name": "standby"}  # The name that it gives to the primary.
_NAMES = "ANY 1 (standby)"
_FOLLOWING = "SELECT pid FROM pg_stat_replication WHERE application_name = 'standby' AND state = 'streaming'"
_WAITED_FOR = "SELECT pid FROM pg_stat_replication WHERE application_name = 'standby' AND sync_state = 'quorum'"


class Pair:
    """A primary and a standby that streams from it; asynchronous until `synchronise`."""

    def __init__(self, primary: EmbeddedServer, standby: EmbeddedServer) -> None:
        self.primary = primary
        self.standby = standby
        self.dsn = _dsn(primary, standby)

    def synchronise(self) -> None:
        """Make every COMMIT wait from now on until the standby has it, without a time-out."""
        for server in (self.standby, self.primary):  # Both, as where either may be the primary.
            configure(server, "synchronous_standby_names", _NAMES)
        wait_until(lambda: bool(cluster.fetch(self.primary.dsn, _WAITED_FOR)))

    def detach(self) -> None:
        """Keep the standby from receiving anything."""
        configure(self.standby, "primary_conninfo", "")
        wait_until(lambda: not cluster.fetch(self.primary.dsn, _FOLLOWING))

    def attach(self) -> None:
        configure(self.standby, "primary_conninfo", _conninfo(self.primary))
        wait_until(lambda: bool(cluster.fetch(self.primary.dsn, _FOLLOWING)))

    def kill_primary(self) -> None:
        postmaster.kill_all(self.primary.pid)

    def promote(self) -> None:
        """Promote the standby and, as an operator or Patroni would, configure it to wait for no standby."""
        cluster.run(self.standby.dsn, "SELECT pg_promote(wait => true)")
        configure(self.standby, "synchronous_standby_names", "")


@contextlib.contextmanager
def started() -> Iterator[Pair]:
    """Start a primary with all tables, and a standby that has replicated them."""
    with cluster.open_folder() as folder, cluster.start(folder / "primary", _SETTINGS) as primary:
        asyncio.run(cluster.make_tables(primary.dsn))
        programs.copy_server(primary, folder / "standby", "--write-recovery-conf")
        with embedded.start(folder / "standby", settings=_STANDBY) as standby:
            pair = Pair(primary, standby)
            pair.attach()
            yield pair


def configure(server: EmbeddedServer, name: str, value: str) -> None:
    """Set a parameter of a running primary or standby."""
    cluster.run(server.dsn, f"ALTER SYSTEM SET {name} = '{value}'")
    cluster.run(server.dsn, "SELECT pg_reload_conf()")


def _dsn(*servers: EmbeddedServer) -> str:
    hosts = ",".join(quote(cluster.sockets(server.dsn), safe="") for server in servers)
    return f"postgresql://postgres@/nocontent?host={hosts}&port=5432&target_session_attrs=read-write"


def _conninfo(server: EmbeddedServer) -> str:
    return f"host={cluster.sockets(server.dsn)} port=5432 user=postgres"
