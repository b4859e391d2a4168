"""`serve` and `console`: check the database, open the sockets, and run the service."""

import argparse
import asyncio
import resource
import socket
from argparse import RawDescriptionHelpFormatter
from contextlib import suppress

from ingest import config, logs
from ingest.cli import processes
from ingest.cli.arguments import Subparsers
from ingest.cli.processes import PROCESSES, Process, Settings
from ingest.errors import CannotStart
from ingest.logs import stdio
from ingest.rights import restore
from ingest.rights.receipts import settings as receipts
from ingest.serving import exposition, process, supervisor
from ingest.serving.application import Application
from ingest.serving.connection import backlog
from ingest.serving.listener import Listener
from ingest.serving.settings import ServingSettings
from ingest.serving.site import Site
from ingest.serving.worker_counts import WorkerCounts
from ingest.store import connections, hosts, migrate, privileges, settings, visits
from ingest.store.connections import Connection
from ingest.store.database import require_dsn

GRACEFUL_TIMEOUT_S = 30.0  # Longer than a request waits for its COMMIT.
HANDSHAKE_TIMEOUT_S = 10.0  # Hypercorn's default is 60: until then an unknown peer holds memory.
# Each connection is an open file and takes about 15 KB; beyond the limit, new connections are closed at once.
OPEN_FILES_MAX = 65_536


def add(commands: "Subparsers[argparse.ArgumentParser]") -> None:
    """Declare the commands."""
    _add(commands, "serve", "accept events until SIGTERM; SIGHUP replaces the workers")
    _add(commands, "console", "serve the console to browsers until SIGTERM; SIGHUP replaces the workers")


def _add(commands: "Subparsers[argparse.ArgumentParser]", name: str, says: str) -> None:
    serve = commands.add_parser(
        name, help=says, description=says, epilog=_settings_help(), formatter_class=RawDescriptionHelpFormatter
    )
    serve.set_defaults(run=_serve, process=name)
    serve.add_argument(
        "--print-config", action="store_true", help="print the settings in force, secrets masked, and exit"
    )
    serve.add_argument(
        "--strict", action="store_true",
        help="refuse a PostgreSQL that is not verified or could log or store values, and an overprivileged login",
    )  # fmt: skip


def _settings_help() -> str:
    lines = [f"  {name:31} {meaning} (default: {default!r})" for name, meaning, default in config.describe(Settings)]
    return "\n".join(["settings, from the environment:", *lines])


def _serve(args: argparse.Namespace) -> int:
    if args.print_config:
        for name, value in config.masked(processes.load()).items():
            print(f"{config.PREFIX}{name.upper()}={value}")
        return 0
    stdio.seal()
    served, wanted = PROCESSES[args.process], processes.load()
    process.forbid_core_dumps()
    _allow_many_connections()
    application, (bind, metrics_bind) = served.load(), served.addresses
    listener = _listener(wanted, str(getattr(wanted, bind)), application)
    listener.check_certificate()
    asyncio.run(_check_database(wanted, served, is_strict=args.strict))
    _check_way_to_database(wanted.dsn, is_strict=args.strict)
    try:
        sockets = listener.create_sockets()
    except OSError:
        raise CannotStart(
            f"{config.PREFIX}{bind.upper()} is in use, is not an address of this machine, or needs root for its port."
        ) from None
    counts = WorkerCounts()
    try:
        _serve_metrics(metrics_bind, str(getattr(wanted, metrics_bind)), counts)
        site = Site(application, listener, sockets)
        return supervisor.run(site, counts, wanted.drain_s)
    finally:
        counts.close()


def _allow_many_connections() -> None:
    """Raise the soft limit of open files, often 1,024, as far as the hard limit and OPEN_FILES_MAX allow."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES_MAX if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES_MAX)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError):  # macOS has a lower bound even if the hard limit is infinite.
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def _check_database(wanted: Settings, served: Process, *, is_strict: bool) -> None:
    connection = await connections.connect_as_operator(require_dsn(wanted), served.role)
    try:
        await migrate.require_current(connection)
        folder = receipts.folder(wanted)
        await restore.require_replayed(connection, folder)
        await restore.warn_of_absent_orders(connection, folder)
        leaks = await settings.leaks(connection)
        excess = await privileges.excess(connection)
        exposures = await privileges.exposures(connection)
        missing = await privileges.missing(connection, served.more)
        await _require_guarded(connection, served)
    finally:
        await connections.close(connection)
    for privilege in missing:
        logs.warning("role-missing", privilege=privilege)
    for leak in leaks:
        logs.warning("setting-leaks", setting=leak)
    for privilege in excess:
        logs.warning("login-overprivileged", privilege=privilege)
    for exposure in exposures:
        logs.warning("database-exposed", exposure=exposure)
    if leaks and is_strict:
        raise CannotStart(f"PostgreSQL's own log could hold values: see {', '.join(leaks)} in docs/operations.md.")
    if excess and is_strict:
        raise CannotStart(f"The login has privileges a server does not need: {', '.join(excess)}. See docs/roles.md.")
    if exposures and is_strict:
        raise CannotStart(f"Any login could store text in this database: {', '.join(exposures)}. See docs/roles.md.")


async def _require_guarded(connection: Connection, served: Process) -> None:
    """Raise CannotStart if only its own statements would keep the console from other tenants' rows."""
    if served.role == visits.ROLE and await privileges.unguarded(connection):
        raise CannotStart("Row security does not keep tenants apart in this database, as on Citus: see docs/citus.md.")


def _check_way_to_database(dsn: str, *, is_strict: bool) -> None:
    if not hosts.is_exposed(dsn):
        return
    logs.warning("database-not-verified")
    if is_strict:
        raise CannotStart("PostgreSQL is remote and not verified: use sslmode=verify-full, see docs/operations.md.")


def _serve_metrics(setting: str, bind: str, counts: WorkerCounts) -> None:
    """Serve /metrics of all workers from this process."""
    host, port = config.address(bind)
    try:
        listening = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError:
        raise CannotStart(f"{config.PREFIX}{setting.upper()} is in use or is not an address of this machine.") from None
    exposition.start(listening, counts)


def _listener(wanted: ServingSettings, bind: str, application: Application) -> Listener:
    server = Listener()
    server.headers = application.headers
    server.bind = [bind]
    server.workers = wanted.workers
    # Access logs have paths, referrers and user agents: text chosen by strangers.
    server.accesslog = None
    server.errorlog = None
    server.backlog = backlog()
    server.graceful_timeout = GRACEFUL_TIMEOUT_S
    server.keep_alive_timeout = wanted.keep_alive_s
    server.ssl_handshake_timeout = HANDSHAKE_TIMEOUT_S
    server.certfile, server.keyfile = wanted.tls_cert_file or None, wanted.tls_key_file or None
    return server
