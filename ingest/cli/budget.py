"""`budget`: an operator's acts on the budgets of a tenant, and what was spent against them."""

import argparse
import json
import sys
from collections.abc import Mapping
from decimal import Decimal
from uuid import UUID

from ingest.alerts.budgets import asking, periods
from ingest.alerts.budgets.asking import Given
from ingest.cli import acts
from ingest.cli.arguments import Subparsers
from ingest.errors import CannotStart
from ingest.store import connections, tenants
from ingest.store.budgets import alerts, budgets, errors, names, spend
from ingest.store.budgets.alerts import FORECAST, Alert
from ingest.store.budgets.budgets import Budget, PeriodKind, Scope
from ingest.store.connections import Connection, Role

_ADVICE = ": is the database migrated?"
_READER: Role = "nocontent_usage_reader"
_ALERTS_MAX = 50
_NANO = Decimal(1_000_000_000)
_UNKNOWN = "no budget of this tenant has that id; see `nocontent budget list`"


def add(commands: "Subparsers[argparse.ArgumentParser]") -> None:
    """Declare the commands."""
    family = acts.family(commands, "budget", "budgets of a tenant, and alerts when spend nears one", _ADVICE)
    new = family.add("add", _explained(_add), "add a budget, and print its id; it never changes, but can be ended")
    new.add_argument("tenant")
    new.add_argument("--limit", required=True, metavar="USD", help="US dollars a period, as decimal text")
    new.add_argument("--period", required=True, choices=[*asking.PERIODS])
    new.add_argument("--zone", default="", help="time zone of its days (default: that of the tenant's plan, or UTC)")
    new.add_argument("--thresholds", default="", metavar="PERCENTS", help="up to five (default: 50,80,100)")
    new.add_argument("--forecast", action="store_true", help="also alert when the limit is expected to be reached")
    new.add_argument("--webhook", type=UUID, metavar="ID", help="a webhook that each alert is sent to as well")
    of = new.add_mutually_exclusive_group()
    of.add_argument("--category", metavar="TERM", help="only events of a task category")
    of.add_argument("--model", metavar="TERM", help="only events that a model served")
    of.add_argument("--tag", metavar="KEY=VALUE", help="only events with a tag")
    listing = family.add("list", _list, "list budgets")
    listing.add_argument("tenant")
    listing.add_argument("--json", action="store_true")
    show = family._replace(role=_READER).add("show", _show, "show what was spent in this period, and all alerts")
    end = family.add("end", _end, "end a budget: it alerts no more, and its alerts stay")
    for command in (show, end):
        command.add_argument("tenant")
        command.add_argument("budget", type=UUID)
    show.add_argument("--json", action="store_true")


def _explained(act: acts.Act) -> acts.Act:
    """Return an act that prints why it was refused, without a value."""

    async def explained(connection: Connection, args: argparse.Namespace) -> int:
        try:
            return await act(connection, args)
        except errors.BudgetError as refused:
            raise CannotStart(asking.why(refused)) from None

    return explained


async def _add(connection: Connection, args: argparse.Namespace) -> int:
    tenant_id = await tenants.find(connection, args.tenant)
    new = await asking.read(connection, tenant_id, _given(args))
    print(await budgets.add(connection, tenant_id, new))
    return 0


def _given(args: argparse.Namespace) -> Given:
    given = Given(
        args.limit, args.period, thresholds=args.thresholds, has_forecast=args.forecast, zone=args.zone,
        webhook_id=args.webhook,
    )  # fmt: skip
    if args.category is not None:
        return given._replace(scope=Scope.CATEGORY, term=args.category)
    if args.model is not None:
        return given._replace(scope=Scope.MODEL, term=args.model)
    if args.tag is not None:
        key, _, value = args.tag.partition("=")
        return given._replace(scope=Scope.TAG_VALUE, tag_key=key, term=value)
    return given


async def _list(connection: Connection, args: argparse.Namespace) -> int:
    tenant_id = await tenants.find(connection, args.tenant)
    found = await budgets.list_all(connection, tenant_id)
    words = await names.read(connection, tenant_id, found)
    if args.json:
        print(json.dumps([_facts(budget, words) for budget in found]))
        return 0
    for budget in found:
        spec = budget.spec
        state = f"ended {budget.ended_at:%Y-%m-%d}" if budget.ended_at else "open"
        percents = ",".join(map(str, spec.thresholds)) + (" forecast" if spec.has_forecast else "")
        about = f"{_usd(spec.limit_nanousd)} USD a {_period(spec.period)}"
        print(f"{budget.budget_id}  {_of(budget, words):28} {about:24} {spec.time_zone:16} {percents:20} {state}")
    return 0


async def _show(connection: Connection, args: argparse.Namespace) -> int:
    tenant_id = await tenants.find(connection, args.tenant)
    budget = await budgets.read(connection, tenant_id, args.budget)
    if budget is None:
        print(f"nocontent: {_UNKNOWN}", file=sys.stderr)
        return 1
    words = await names.read(connection, tenant_id, [budget])
    now = periods.containing(await connections.now(connection), budget.spec.period, budget.spec.time_zone)
    spent = await spend.between(connection, budget, now.since, now.before)
    found = await alerts.newest(connection, tenant_id, budget.budget_id, _ALERTS_MAX)
    if args.json:
        present = {"period_start": now.start.isoformat(), "spent_usd": _usd(spent)}
        print(json.dumps(_facts(budget, words) | present | {"alerts": [_alert(alert) for alert in found]}))
        return 0
    limit, zone = budget.spec.limit_nanousd, budget.spec.time_zone
    share = f"{_usd(spent)} of {_usd(limit)} USD, {100 * spent // limit} %"
    print(f"{_of(budget, words)}: {share}, in the {_period(budget.spec.period)} from {now.start} on ({zone})")
    for alert in found:
        what = "forecast" if alert.threshold == FORECAST else f"{alert.threshold} %"
        state = "" if alert.uncrossed_at is None else f"  no longer since {alert.uncrossed_at:%Y-%m-%d %H:%M}"
        said = "" if alert.is_announced else "  not announced"
        at = f"{alert.crossed_at:%Y-%m-%d %H:%M} UTC"
        print(f"{alert.period_start}  {what:9} {_usd(alert.spend_nanousd):>16} USD  {at}{said}{state}")
    return 0


async def _end(connection: Connection, args: argparse.Namespace) -> int:
    if await budgets.end(connection, await tenants.find(connection, args.tenant), args.budget):
        return 0
    print(f"nocontent: {_UNKNOWN}", file=sys.stderr)
    return 1


def _facts(budget: Budget, words: names.Names) -> dict[str, object]:
    spec = budget.spec
    return {
        "budget": str(budget.budget_id), "scope": spec.scope.name.lower(), "term": names.of(budget, words),
        "period": _period(spec.period), "time_zone": spec.time_zone, "limit_usd": _usd(spec.limit_nanousd),
        "thresholds": [*spec.thresholds], "forecast": spec.has_forecast,
        "webhook": None if spec.webhook_id is None else str(spec.webhook_id),
        "created_at": budget.created_at.isoformat(),
        "ended_at": None if budget.ended_at is None else budget.ended_at.isoformat(),
    }  # fmt: skip


def _alert(alert: Alert) -> Mapping[str, object]:
    return {
        "period_start": alert.period_start.isoformat(), "threshold": alert.threshold,
        "spend_usd": _usd(alert.spend_nanousd), "crossed_at": alert.crossed_at.isoformat(),
        "uncrossed_at": None if alert.uncrossed_at is None else alert.uncrossed_at.isoformat(),
        "announced": alert.is_announced,
    }  # fmt: skip


def _of(budget: Budget, words: names.Names) -> str:
    if budget.spec.scope is Scope.TENANT:
        return "all"
    return f"{budget.spec.scope.name.lower().partition('_')[0]} {names.of(budget, words) or 'erased'}"


def _period(kind: PeriodKind) -> str:
    return kind.name.lower()


def _usd(nanousd: int) -> str:
    """Return an amount as decimal text, exact, with two decimals or more."""
    text = f"{Decimal(nanousd) / _NANO:.9f}".rstrip("0")
    whole, _, part = text.partition(".")
    return f"{whole}.{part:0<2}"
