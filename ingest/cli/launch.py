"""Opens the sockets of a serving process, and runs its supervisor; needs no database."""

import argparse
import resource
import socket
from argparse import RawDescriptionHelpFormatter
from collections.abc import Callable
from contextlib import suppress

from ingest import config
from ingest.cli import processes
from ingest.cli.arguments import Subparsers
from ingest.cli.processes import PROCESSES, Process, Settings
from ingest.errors import CannotStart
from ingest.logs import stdio
from ingest.serving import exposition, process, supervisor
from ingest.serving.application import Application
from ingest.serving.connection import backlog
from ingest.serving.listener import Listener
from ingest.serving.site import Site
from ingest.serving.worker_counts import WorkerCounts

HANDSHAKE_TIMEOUT_S = 10.0  # Hypercorn's default is 60: until then an unknown peer holds memory.
# Each connection is an open file and takes about 15 KB; beyond the limit, new connections are closed at once.
OPEN_FILES_MAX = 65_536

Check = Callable[[Settings, Process, argparse.Namespace], None]


def add(commands: "Subparsers[argparse.ArgumentParser]", name: str, says: str, check: Check) -> argparse.ArgumentParser:
    """Declare the command of a process; `check` raises CannotStart after the settings were read."""
    serve = commands.add_parser(
        name, help=says, description=says, epilog=_settings_help(name), formatter_class=RawDescriptionHelpFormatter
    )
    serve.set_defaults(run=lambda args: _run(PROCESSES[name], check, args))
    serve.add_argument(
        "--print-config", action="store_true", help="print the settings in force, secrets masked, and exit"
    )
    return serve


def _settings_help(name: str) -> str:
    served = PROCESSES[name]
    described = config.describe(served.reads)
    lines = [f"  {setting:31} {meaning} (default: {default!r})" for setting, meaning, default in described]
    if served.role is None:
        lines.append(f"{config.PREFIX}DSN and {config.PREFIX}DSN_FILE must not be set: it has no database.")
    return "\n".join(["settings, from the environment:", *lines])


def _run(served: Process, check: Check, args: argparse.Namespace) -> int:
    if args.print_config:
        for name, value in config.masked(processes.load()).items():
            print(f"{config.PREFIX}{name.upper()}={value}")
        return 0
    stdio.seal()
    wanted = processes.load()
    process.forbid_core_dumps()
    _allow_many_connections()
    application, (bind, metrics_bind) = served.load(), served.addresses
    listener = _listener(wanted, served, application)
    listener.check_certificate()
    check(wanted, served, args)
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


def _serve_metrics(setting: str, bind: str, counts: WorkerCounts) -> None:
    """Serve /metrics of all workers from this process."""
    host, port = config.address(bind)
    try:
        listening = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError:
        raise CannotStart(f"{config.PREFIX}{setting.upper()} is in use or is not an address of this machine.") from None
    exposition.start(listening, counts)


def _listener(wanted: Settings, served: Process, application: Application) -> Listener:
    server = Listener()
    server.headers = application.headers
    server.bind = [str(getattr(wanted, served.addresses[0]))]
    server.workers = wanted.workers
    # Access logs have paths, referrers and user agents: text chosen by strangers.
    server.accesslog = None
    server.errorlog = None
    server.backlog = backlog()
    server.graceful_timeout = served.ending_s(wanted)
    server.keep_alive_timeout = wanted.keep_alive_s
    server.ssl_handshake_timeout = HANDSHAKE_TIMEOUT_S
    server.certfile, server.keyfile = wanted.tls_cert_file or None, wanted.tls_key_file or None
    return server
