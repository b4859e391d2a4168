"""`serve` and `console`: check the database, and run the service."""

import argparse
import asyncio

from ingest import logs
from ingest.cli import launch
from ingest.cli.arguments import Subparsers
from ingest.cli.processes import Process, Settings
from ingest.errors import CannotStart
from ingest.rights import restore
from ingest.rights.receipts import settings as receipts
from ingest.store import connections, hosts, migrate, privileges, settings, visits
from ingest.store.connections import Connection
from ingest.store.database import require_dsn


def add(commands: "Subparsers[argparse.ArgumentParser]") -> None:
    """Declare the commands."""
    _add(commands, "serve", "accept events until SIGTERM; SIGHUP replaces the workers")
    _add(commands, "console", "serve the console to browsers until SIGTERM; SIGHUP replaces the workers")


def _add(commands: "Subparsers[argparse.ArgumentParser]", name: str, says: str) -> None:
    launch.add(commands, name, says, _check).add_argument(
        "--strict", action="store_true",
        help="refuse a PostgreSQL that is not verified or could log or store values, and an overprivileged login",
    )  # fmt: skip


def _check(wanted: Settings, served: Process, args: argparse.Namespace) -> None:
    asyncio.run(_check_database(wanted, served, is_strict=args.strict))
    _check_way_to_database(wanted.dsn, is_strict=args.strict)


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
