"""`plan`: an operator's acts on plans, and on which tenant is on which."""

import argparse
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation

import msgspec

from ingest.cli import acts
from ingest.cli.acts import Acts
from ingest.cli.arguments import Subparsers
from ingest.errors import CannotStart
from ingest.knowledge.billing import Plan, Terms
from ingest.store import tenants
from ingest.store.billing import accounts, plans
from ingest.store.connections import Connection
from ingest.usage.billing import assigning, periods

_ADVICE = ": does a name, a currency or an issuer break the grammar, or is an amount too large?"
_EASTERNMOST = timedelta(hours=14)  # Where a month begins first.
_MICRO, _NANO, _CENTS, _PPM_OF_PERCENT = 1_000_000, 1_000_000_000, 100, 10_000
# What an option sets, and the multiple of it that is stored.
_AMOUNTS = {
    "per_million": ("per_million_events_nano", _NANO, "price of a million events"),
    "savings_share": ("savings_share_ppm", _PPM_OF_PERCENT, "percent of savings"),
    "flat": ("flat_cents", _CENTS, "fee of each month"),
    "minimum": ("minimum_cents", _CENTS, "least amount of a month"),
    "free_events": ("free_events", 1, "events of each month that are not charged"),
    "usd_rate": ("usd_rate_ppm", _MICRO, "units of the currency for a US dollar of savings, as agreed upon"),
}


def add(commands: "Subparsers[argparse.ArgumentParser]") -> None:
    """Declare the commands."""
    family = acts.family(commands, "plan", "plans: what tenants pay, and which tenant is on which plan", _ADVICE)
    new = family.add("add", _add, "add a plan; its issuer and currency never change")
    new.add_argument("name", help="a short lower-case name")
    new.add_argument(
        "--issuer", default="NC", help="2 to 8 capital letters that begin its documents' numbers (default: NC)"
    )
    new.add_argument("--currency", default="USD", help="one with 2 decimals (default: USD)")
    change = family.add("change", _change, "set other amounts from a month on that has not begun anywhere")
    change.add_argument("name")
    change.add_argument("--since", type=month, required=True, metavar="YYYY-MM")
    for command in (new, change):
        for option, (_, _, says) in _AMOUNTS.items():
            command.add_argument(f"--{option.replace('_', '-')}", type=amount, metavar="N", help=says)
    family.add("list", _list, "list plans with all their versions").add_argument("--json", action="store_true")
    _add_assignments(family)


def _add_assignments(family: Acts) -> None:
    assign = family.add(
        "assign", _assign, "put a tenant on a plan: from the next month on, or from the current one if new"
    )
    end = family.add("end", _end, "put a tenant on no plan")
    show = family.add("show", _show, "list the plans and time zones of a tenant")
    for command in (assign, end, show):
        command.add_argument("tenant")
        command.add_argument("--json", action="store_true")
    assign.add_argument("plan")
    assign.add_argument(
        "--zone", help="IANA time zone of the tenant's months, such as Europe/Berlin (default: as before, or UTC)"
    )
    for command in (assign, end):
        command.add_argument("--from", type=month, dest="since", metavar="YYYY-MM", help="the first month")


def amount(text: str) -> Decimal:
    """Parse an amount; argparse turns a ValueError into a usage error."""
    try:
        found = Decimal(text)
    except InvalidOperation:
        raise ValueError from None
    if not found.is_finite() or not 0 <= found < _NANO * _MICRO:
        raise ValueError
    return found


def month(text: str) -> date:
    """Parse a month, such as 2026-11."""
    found = datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC).date()
    if not periods.FIRST_MONTH <= found <= periods.LAST_MONTH:
        raise ValueError
    return found


async def _add(connection: Connection, args: argparse.Namespace) -> int:
    none = Terms(
        plan_id=0, version=1, since=periods.FIRST_MONTH, per_million_events_nano=0, free_events=0, savings_share_ppm=0,
        usd_rate_ppm=_MICRO if args.currency == "USD" else 0, flat_cents=0, minimum_cents=0,
    )  # fmt: skip
    plan = Plan(plan_id=0, name=args.name, issuer=args.issuer, currency=args.currency, versions=())
    await plans.add(connection, plan, _changed(plan, none, args))
    return 0


async def _change(connection: Connection, args: argparse.Namespace) -> int:
    plan = await plans.find(connection, args.name)
    first = periods.following((await accounts.now(connection) + _EASTERNMOST).date().replace(day=1))
    if args.since < first:
        raise CannotStart(f"Amounts change from {first:%Y-%m} on at the earliest: that month has begun.")
    changed = msgspec.structs.replace(_changed(plan, plan.versions[-1], args), since=args.since)
    await plans.add_version(connection, plan, changed)
    return 0


def _changed(plan: Plan, terms: Terms, args: argparse.Namespace) -> Terms:
    """Return the terms with the amounts that were given; raises CannotStart if one cannot be stored exactly."""
    changes = {}
    for option, (field, scale, _) in _AMOUNTS.items():
        given = getattr(args, option)
        if given is not None:
            if (scaled := given * scale) != int(scaled):
                raise CannotStart(f"--{option.replace('_', '-')} has too many decimals.")
            changes[field] = int(scaled)
    changed = msgspec.structs.replace(terms, **changes)
    if plan.currency == "USD" and changed.usd_rate_ppm != _MICRO:
        raise CannotStart("A plan in USD has no rate.")
    if changed.savings_share_ppm and not changed.usd_rate_ppm:
        raise CannotStart("Savings are in USD: a share of them in another currency needs --usd-rate.")
    return changed


async def _list(connection: Connection, args: argparse.Namespace) -> int:
    known = (await plans.read_all(connection)).values()
    if args.json:
        print(json.dumps(msgspec.to_builtins(tuple(known))))
        return 0
    for plan in known:
        print(f"{plan.name:24} {plan.issuer:8} {plan.currency}")
        for terms in plan.versions:
            said = [
                f"--{option.replace('_', '-')} {Decimal(getattr(terms, field)) / scale:f}"
                for option, (field, scale, _) in _AMOUNTS.items()
                if getattr(terms, field) and not (option == "usd_rate" and plan.currency == "USD")
            ]
            print(f"  {terms.version:3} since {terms.since:%Y-%m}  {' '.join(said)}")
    return 0


async def _assign(connection: Connection, args: argparse.Namespace) -> int:
    return await _subscribe(connection, args, await plans.find(connection, args.plan), args.zone)


async def _end(connection: Connection, args: argparse.Namespace) -> int:
    return await _subscribe(connection, args, None, None)


async def _subscribe(connection: Connection, args: argparse.Namespace, plan: Plan | None, zone: str | None) -> int:
    tenant = await tenants.find(connection, args.tenant)
    made = await assigning.assign(connection, tenant, plan, zone, args.since)
    if args.json:
        print(json.dumps(msgspec.to_builtins(made)))
    else:
        print(f"from {made.month:%Y-%m} on, by months of {made.time_zone}")
    return 0


async def _show(connection: Connection, args: argparse.Namespace) -> int:
    found = await plans.subscriptions(connection, await tenants.find(connection, args.tenant))
    if args.json:
        print(json.dumps(msgspec.to_builtins(found)))
        return 0
    known = await plans.read_all(connection)
    for each in found:
        print(f"{each.month:%Y-%m}  {known[each.plan_id].name if each.plan_id else 'no plan':24} {each.time_zone}")
    return 0
