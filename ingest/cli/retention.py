"""`retention`: show and set how long events are kept. Only these audited acts change it, no clock and no setting."""

import argparse
from datetime import date

from ingest.cli import acts
from ingest.cli.arguments import Subparsers
from ingest.knowledge.retention import USAGE_DAYS_MAX
from ingest.store import retention
from ingest.store.connections import Connection
from schema.limits import RETENTION_DAYS_MAX

_ADVICE = "; see docs/roles.md."


def add(commands: "Subparsers[argparse.ArgumentParser]") -> None:
    """Declare the commands."""
    says = "show and set how many days of events the database keeps"
    family = acts.family(commands, "retention", says, _ADVICE)
    family.add("show", _show, "print the days kept, the oldest protected day, and the days that wait to be dropped")
    change = family.add("set", _set, "keep this many days; if fewer than now, the next round drops the others")
    change.add_argument("days", type=int, choices=range(1, RETENTION_DAYS_MAX + 1), metavar="DAYS")
    usage = family.add("set-usage", _set_usage, "keep sums of usage this many days, or for ever")
    usage.add_argument("days", type=_usage_days, metavar="DAYS|forever")
    catch_up = family.add("catch-up", _catch_up, "release a backlog to be dropped at once; without a day, only show it")
    catch_up.add_argument(
        "before", type=date.fromisoformat, nargs="?", metavar="DAY", help="the first day to keep, such as 2026-01-31"
    )


async def _show(connection: Connection, _args: argparse.Namespace) -> int:
    known = await retention.read(connection)
    if known is None:
        print("no retention yet: the first round of `nocontent maintain` sets that of its environment")
        return 0
    at = await retention.read_time(connection)
    behind = retention.behind_days(known, at.now)
    print(f"{known.days} days are kept; nothing from {known.horizon} on may be deleted")
    print(
        f"{behind} days before that wait to be dropped; the last release was at {known.advanced_at:%Y-%m-%d %H:%M} UTC"
    )
    print(f"PostgreSQL's clock shows {at.now:%Y-%m-%d %H:%M} UTC; this machine's {'dis' * at.is_adrift}agrees")
    print(f"sums of usage are kept {_for(await retention.usage_days(connection))}")
    return 0


def _for(days: int | None) -> str:
    return "as long as their tenant exists" if days is None else f"{days} days"


def _usage_days(text: str) -> int | None:
    days = None if text == "forever" else int(text)
    if days is not None and not 1 <= days <= USAGE_DAYS_MAX:
        raise ValueError
    return days


async def _set_usage(connection: Connection, args: argparse.Namespace) -> int:
    await retention.set_usage_days(connection, args.days)
    print(f"sums of usage are kept {_for(args.days)}")
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
    print(f"PostgreSQL's clock shows {at.now:%Y-%m-%d %H:%M} UTC. If that is right, {behind} days before {due} can go:")
    print(f"nocontent retention catch-up {due}")
    return 1
