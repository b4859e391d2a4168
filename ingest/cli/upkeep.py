"""`migrate`, `maintain`: create the tables of the service, and maintain their partitions."""

import argparse
import asyncio
import sys

from tqdm import tqdm

from ingest import config
from ingest.cli import processes
from ingest.cli.arguments import Subparsers
from ingest.intake.settings import IntakeSettings
from ingest.store import connections, maintenance, migrate, privileges
from ingest.store.database import require_dsn
from ingest.store.partitions import Kept

WAIT_FOR_LEADER_S = 30.0  # In `maintain`: another maintainer's round takes a few seconds unless it hangs.


def add(commands: "Subparsers[argparse.ArgumentParser]") -> None:
    """Declare the commands."""
    says = "create or update the tables; safe to repeat, and on many nodes at once"
    commands.add_parser("migrate", help=says, description=says).set_defaults(run=_migrate)
    says = "create partitions ahead and drop those before the horizon, once"
    commands.add_parser("maintain", help=says, description=says).set_defaults(run=_maintain)


def _migrate(_args: argparse.Namespace) -> int:
    async def run(dsn: str) -> int:
        connection = await connections.connect_as_operator(dsn)
        try:
            await migrate.take_on_owner(connection)
            pending = await migrate.pending(connection)
            with tqdm(total=len(pending) + 1, unit="step", disable=not sys.stderr.isatty()) as bar:
                ran = await migrate.migrate(connection, bar.update)
            exposures = await privileges.exposures(connection)
        finally:
            await connections.close(connection)
        print("\n".join(f"applied {name}" for name in ran) or "up to date")
        if exposures:
            print(f"open to every login of this database: {', '.join(exposures)}; see docs/roles.md")
        return 0

    wanted = processes.load()
    status = asyncio.run(run(require_dsn(wanted)))
    # Withheld days do not fail a migration, so they block no release.
    return status or int(_round(wanted).failed > 0)


def _maintain(_args: argparse.Namespace) -> int:
    wanted = processes.load()
    asyncio.run(_check_connection(require_dsn(wanted)))
    kept = _round(wanted, WAIT_FOR_LEADER_S)
    days = asyncio.run(maintenance.days(wanted.dsn))
    differs = wanted.retention_days is not None and days != wanted.retention_days
    if differs:
        print(
            f"{config.PREFIX}RETENTION_DAYS is {wanted.retention_days}, but the database's {days} days apply:"
            f" `nocontent retention set {wanted.retention_days}` changes it"
        )
    # A postponed drop only costs space, but a day that cannot be created will cost events, and an operator who expects
    # days to be dropped must learn that they were not.
    return int(kept.failed > 0 or kept.is_held_back or differs or not kept.was_leader)


async def _check_connection(dsn: str) -> None:
    """Raise CannotStart, which says what to do, before a round of maintenance that would only report a failure."""
    await connections.close(await connections.connect_as_operator(dsn, "nocontent_maintainer"))


_WITHHELD = {
    "": "",
    "too-soon": "maintenance releases one day per day",
    "clock-adrift": "this machine's clock and PostgreSQL's disagree",
    "clock-went-back": "PostgreSQL's clock shows a time before the last release of a day",
}


def _round(wanted: IntakeSettings, patience_s: float = 0.0) -> Kept:
    kept = asyncio.run(maintenance.keep_in_turn(require_dsn(wanted), wanted.retention_days, patience_s))
    if not kept.was_leader:
        print("another maintainer is running; nothing done here (docs/runbooks.md, No maintenance)")
    print(
        f"partitions: {kept.created} created, {kept.dropped} dropped, {kept.postponed} postponed,"
        f" {kept.ahead_days} days ahead"
    )
    if kept.failed:
        print(f"not created: {kept.failed}; see the maintenance-failed log lines")
    if kept.is_held_back:
        print(
            f"not dropped: {kept.behind_days} days past retention, because {_WITHHELD[kept.withheld]};"
            " see `nocontent retention show` and docs/operations.md"
        )
    return kept
