"""`retention`: show and set how long everything is kept. Only these audited acts change it, no clock and no setting."""

import argparse
import sys
from datetime import date

import msgspec

from ingest.cli import acts
from ingest.cli.arguments import Subparsers
from ingest.errors import CannotStart
from ingest.knowledge.retention import INVOICE_YEARS_MAX, INVOICE_YEARS_MIN, USAGE_DAYS_MAX
from ingest.rights import retention as table
from ingest.rights.retention import Entry
from ingest.store import retention, tenant_retention, tenants
from ingest.store.connections import Connection
from schema.limits import RETENTION_DAYS_MAX

_ADVICE = "; see docs/roles.md."


def add(commands: "Subparsers[argparse.ArgumentParser]") -> None:
    """Declare the commands."""
    says = "print how long everything is kept, by which clock and why; show and set days of events, sums and invoices"
    family = acts.family(commands, "retention", says, _ADVICE)
    family.add_unnamed(_print).add_argument("--json", action="store_true", help="print the table as JSON")
    show = family.add("show", _show, "print the days kept, the oldest protected day, and the days that wait to go")
    show.add_argument("--tenant", help="of one tenant")
    change = family.add("set", _set, "keep this many days of events; if fewer than now, the next round drops others")
    change.add_argument("days", type=_days, metavar="DAYS|deployment", help="`deployment`: with --tenant, as all have")
    change.add_argument("--tenant", help="of one tenant, at most as many as the deployment has")
    change.add_argument("--yes", action="store_true", help="with --tenant: delete what is shown without it")
    usage = family.add("set-usage", _set_usage, "keep sums of usage this many days, or for ever")
    usage.add_argument("days", type=_usage_days, metavar="DAYS|forever")
    invoices = family.add("set-invoices", _set_invoices, "keep settled invoices this many years, or for ever")
    invoices.add_argument("years", type=_invoice_years, metavar="YEARS|forever")
    catch_up = family.add("catch-up", _catch_up, "release a backlog to be dropped at once; without a day, only show it")
    catch_up.add_argument(
        "before", type=date.fromisoformat, nargs="?", metavar="DAY", help="the first day to keep, such as 2026-01-31"
    )


async def _print(connection: Connection, args: argparse.Namespace) -> int:
    entries = await table.read(connection)
    if args.json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(entries), indent=2).decode() + "\n")
        return 0
    width = max(len(entry.name) for entry in entries)
    print(f"{'':{width}}  oldest      kept")
    for entry in entries:
        print("\n".join(_lines(entry, width)))
    return 0


def _lines(entry: Entry, width: int) -> list[str]:
    oldest = f"{entry.oldest:%Y-%m-%d}" if entry.oldest else "-"
    now = f" (now {entry.now})" if entry.now else ""
    return [
        f"{entry.name:{width}}  {oldest:10}  {entry.kept}{now}",
        f"{'':{width + 14}}by {entry.measured_by}; deleted by {entry.deleted_by}",
        f"{'':{width + 14}}{entry.holds}: {entry.why}",
    ]


async def _show(connection: Connection, args: argparse.Namespace) -> int:
    known = await retention.read(connection)
    if known is None:
        print("no retention yet: the first round of `nocontent maintain` sets that of its environment")
        return 0
    if args.tenant is not None:
        return await _show_tenant(connection, args.tenant)
    at = await retention.read_time(connection)
    behind = retention.behind_days(known, at.now)
    print(f"{known.days} days are kept; nothing from {known.horizon} on may be deleted")
    print(
        f"{behind} days before that wait to be dropped; the last release was at {known.advanced_at:%Y-%m-%d %H:%M} UTC"
    )
    print(f"PostgreSQL's clock shows {at.now:%Y-%m-%d %H:%M} UTC; this machine's {'dis' * at.is_adrift}agrees")
    print(f"sums of usage are kept {_for(await retention.usage_days(connection), 'days')}")
    print(f"settled invoices are kept {_for(await retention.invoice_years(connection), 'years')}")
    return 0


async def _show_tenant(connection: Connection, name: str) -> int:
    known = await tenant_retention.read(connection, await tenants.find(connection, name))
    own = "as many days as the deployment's" if known.days is None else f"{known.days} days"
    print(f"{own} are kept; nothing from {known.kept_since} on may be deleted")
    if known.frozen_before is not None:
        print(f"events before {known.frozen_before} were deleted; their sums stay, and no event of then is accepted")
    return 0


def _for(count: int | None, unit: str) -> str:
    return "as long as their tenant exists" if count is None else f"{count} {unit}"


def _days(text: str) -> int | None:
    return None if text == "deployment" else _within(text, 1, RETENTION_DAYS_MAX)


def _usage_days(text: str) -> int | None:
    return None if text == "forever" else _within(text, 1, USAGE_DAYS_MAX)


def _invoice_years(text: str) -> int | None:
    return None if text == "forever" else _within(text, INVOICE_YEARS_MIN, INVOICE_YEARS_MAX)


def _within(text: str, least: int, most: int) -> int:
    count = int(text)
    if not least <= count <= most:
        raise ValueError
    return count


async def _set_usage(connection: Connection, args: argparse.Namespace) -> int:
    await retention.set_usage_days(connection, args.days)
    print(f"sums of usage are kept {_for(args.days, 'days')}")
    return 0


async def _set_invoices(connection: Connection, args: argparse.Namespace) -> int:
    await retention.set_invoice_years(connection, args.years)
    print(f"settled invoices are kept {_for(args.years, 'years')}")
    return 0


async def _set(connection: Connection, args: argparse.Namespace) -> int:
    if args.tenant is not None:
        return await _set_tenant(connection, args)
    if args.days is None:
        raise CannotStart("Name the days, or a tenant that is to have those of the deployment.")
    changed = await retention.set_days(connection, args.days)
    print(f"{changed.days} days are kept; the next round drops what is older than {changed.horizon}")
    return 0


async def _set_tenant(connection: Connection, args: argparse.Namespace) -> int:
    tenant_id = await tenants.find(connection, args.tenant)
    if args.days is not None:
        found = await tenant_retention.expiring(connection, tenant_id, args.days)
        if found.events and not args.yes:
            print(f"{found.events:,} events of {found.first} to {found.last} would be deleted; their sums stay")
            print("nothing was changed; repeat it with --yes")
            return 1
    await tenant_retention.set_days(connection, tenant_id, args.days)
    known = await tenant_retention.read(connection, tenant_id)
    own = "as many days as the deployment's" if known.days is None else f"{known.days} days"
    print(f"{own} are kept; the next round deletes what is older than {known.kept_since}")
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
