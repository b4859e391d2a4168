"""`retention`: how long events are kept, as an audited act. No clock and no node's setting changes it."""

import argparse
import asyncio
from collections.abc import Awaitable, Callable
from datetime import date

from ingest import config
from ingest.cli.server import Subparsers
from ingest.errors import CannotStart
from ingest.store import connections, retention
from ingest.store.connections import Connection
from schema.limits import RETENTION_DAYS_MAX

_Act = Callable[[Connection, argparse.Namespace], Awaitable[int]]


def add(commands: "Subparsers[argparse.ArgumentParser]") -> None:
    """Declare the commands."""
    says = "how many days of events the database keeps"
    family = commands.add_parser("retention", help=says, description=says)
    acts = family.add_subparsers(metavar="ACT", required=True)
    _act(acts, "show", _show, "print the days kept, the oldest day that is safe, and what waits to be dropped")
    change = _act(acts, "set", _set, "keep so many days; if they are fewer, the next round drops those beyond")
    change.add_argument("days", type=int, choices=range(1, RETENTION_DAYS_MAX + 1), metavar="DAYS")
    catch_up = _act(acts, "catch-up", _catch_up, "let maintenance drop a backlog at once; without a day, only show it")
    catch_up.add_argument(
        "before", type=date.fromisoformat, nargs="?", metavar="DAY", help="the first to keep, 2026-01-31"
    )


def _act(acts: "Subparsers[argparse.ArgumentParser]", name: str, act: _Act, says: str) -> argparse.ArgumentParser:
    command = acts.add_parser(name, help=says, description=says)
    command.set_defaults(run=lambda args: asyncio.run(_run(act, args)))
    return command


async def _run(act: _Act, args: argparse.Namespace) -> int:
    connection = await connections.connect_as_operator(config.require_dsn(config.load()), "nocontent_control")
    try:
        return await act(connection, args)
    except connections.PostgresError as refused:
        raise CannotStart(
            f"PostgreSQL refused (SQLSTATE {connections.sqlstate(refused)}); see docs/roles.md."
        ) from None
    finally:
        await connections.close(connection)


async def _show(connection: Connection, _args: argparse.Namespace) -> int:
    known = await retention.read(connection)
    if known is None:
        print("no retention yet: the first round of `nocontent maintain` begins with that of its environment")
        return 0
    at = await retention.read_time(connection)
    behind = retention.behind_days(known, at.now)
    print(f"{known.days} days are kept; nothing from {known.horizon} on may be deleted")
    print(f"{behind} days past that wait; a day was last let go at {known.advanced_at:%Y-%m-%d %H:%M} UTC")
    print(f"PostgreSQL's clock shows {at.now:%Y-%m-%d %H:%M} UTC; this machine's {'dis' * at.is_adrift}agrees")
    return 0


async def _set(connection: Connection, args: argparse.Namespace) -> int:
    changed = await retention.set_days(connection, args.days)
    print(f"{changed.days} days are kept; the next round drops what is older than {changed.horizon}")
    return 0


async def _catch_up(connection: Connection, args: argparse.Namespace) -> int:
    at = await retention.read_time(connection)
    if args.before is not None:
        changed = await retention.catch_up(connection, args.before, at)
        print(f"the next round drops what is older than {changed.horizon}")
        return 0
    known = await retention.read(connection)
    behind = retention.behind_days(known, at.now)
    if known is None or not behind:
        print("nothing waits to be dropped")
        return 0
    due = retention.due(known.days, at.now)
    print(f"PostgreSQL's clock shows {at.now:%Y-%m-%d %H:%M} UTC. If that is right, {behind} days before {due} may go:")
    print(f"nocontent retention catch-up {due}")
    return 1
