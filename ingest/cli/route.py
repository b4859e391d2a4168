"""`route`: an operator's acts on the table by which a tenant's gateway chooses models, and suggestions for it."""

import argparse
import json
import re
import sys
from decimal import Decimal
from typing import TypedDict

from ingest.cli import acts
from ingest.cli.arguments import Subparsers
from ingest.errors import CannotStart
from ingest.knowledge.gateway import CATEGORIES, CONFIDENCE_MAX, FALLBACKS_MAX, MODES
from ingest.routes import sentences, view
from ingest.routes.suggest import Suggestion
from ingest.routes.view import Obstacle, View
from ingest.store import read_connections, tenants
from ingest.store.connections import Connection, Role
from ingest.store.gateway import acts as table
from ingest.store.gateway.errors import RouteError
from ingest.store.gateway.evidence import DAYS
from schema.event import Kind

_ADVICE = ": is the database migrated?"
_READER: Role = "nocontent_usage_reader"
_NANO = Decimal(1_000_000_000)
_SHARE = re.compile(r"[01]([.][0-9]{1,3})?", re.ASCII)
_EXAMPLES = """\
to begin:
  nocontent route suggest acme                       what the requests of acme suggest, and why not more
  nocontent route set acme summarization claude-haiku-4-5 --fallback claude-sonnet-4-5
  nocontent route mode acme dry-run                  decide and say so, but send each request where it wants to go
  nocontent token issue acme --scope gateway:use     the token that acme's clients send to the gateway
"""


def add(commands: "Subparsers[argparse.ArgumentParser]") -> None:
    """Declare the family."""
    says = "the table by which a tenant's gateway chooses models"
    family = acts.family(commands, "route", says, _ADVICE, _EXAMPLES)
    reading = family._replace(role=_READER)
    mode = family.add("mode", _explained(_mode), "say whether the gateway routes, and from which confidence on")
    new = family.add("set", _explained(_set), "send requests of a category to a model")
    unset = family.add("unset", _explained(_unset), "send requests of a category where they ask to go")
    allow = family.add("allow", _explained(_allow), "add models to those that routes may name")
    disallow = family.add("disallow", _explained(_disallow), "remove models from those that routes may name")
    listing = reading.add("list", _list, "print the table")
    suggest = reading.add("suggest", _suggest, "print what the tenant's own requests suggest, with what it would save")
    explain = reading.add("explain", _explain, "print what the table does with a category, and what suggests another")
    for command in (mode, new, unset, allow, disallow, listing, suggest, explain):
        command.add_argument("tenant")
    mode.add_argument("mode", choices=MODES)
    mode.add_argument("--confidence", type=_share, metavar="SHARE", help="from 0 to 1, such as 0.7")
    mode.add_argument("--concurrency", type=_count, metavar="REQUESTS", help="at once; 0 for the gateway's own bound")
    for command in (new, unset, explain):
        command.add_argument("category", help=f"a gateway names {', '.join(CATEGORIES)}")
    new.add_argument("model")
    new.add_argument("--fallback", action="append", default=[], metavar="MODEL", help=f"up to {FALLBACKS_MAX}")
    for command in (allow, disallow):
        command.add_argument("model", nargs="+")
    for command in (listing, suggest):
        command.add_argument("--json", action="store_true")


def _share(text: str) -> int:
    if not _SHARE.fullmatch(text) or Decimal(text) > 1:
        raise argparse.ArgumentTypeError("a decimal number from 0 to 1, with up to three places")
    return int(Decimal(text) * CONFIDENCE_MAX)


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text[:9]) > table.CONCURRENCY_MAX:
        raise argparse.ArgumentTypeError(f"a whole number up to {table.CONCURRENCY_MAX:,}")
    return int(text)


def _explained(act: acts.Act) -> acts.Act:
    """Return an act that prints why it was refused, without a value."""

    async def explained(connection: Connection, args: argparse.Namespace) -> int:
        try:
            return await act(connection, args)
        except RouteError as refused:
            raise CannotStart(sentences.refused(refused)) from None

    return explained


async def _mode(connection: Connection, args: argparse.Namespace) -> int:
    tenant_id = await tenants.find(connection, args.tenant)
    async with connection.transaction():
        if args.confidence is not None:
            await table.set_confidence(connection, tenant_id, args.confidence)
        if args.concurrency is not None:
            await table.set_concurrency(connection, tenant_id, args.concurrency)
        await table.set_mode(connection, tenant_id, args.mode)
    return 0


async def _set(connection: Connection, args: argparse.Namespace) -> int:
    tenant_id = await tenants.find(connection, args.tenant)
    category = await table.find(connection, tenant_id, Kind.TASK_CATEGORY, args.category)
    models = [await table.find(connection, tenant_id, Kind.MODEL, model) for model in (args.model, *args.fallback)]
    await table.set_route(connection, tenant_id, category, models)
    return 0


async def _unset(connection: Connection, args: argparse.Namespace) -> int:
    tenant_id = await tenants.find(connection, args.tenant)
    category = await table.find(connection, tenant_id, Kind.TASK_CATEGORY, args.category)
    if await table.unset_route(connection, tenant_id, category):
        return 0
    print("nocontent: the table has no route for that category; see `nocontent route list`", file=sys.stderr)
    return 1


async def _allow(connection: Connection, args: argparse.Namespace) -> int:
    tenant_id = await tenants.find(connection, args.tenant)
    models = [await table.find(connection, tenant_id, Kind.MODEL, model) for model in args.model]
    await table.allow(connection, tenant_id, models)
    return 0


async def _disallow(connection: Connection, args: argparse.Namespace) -> int:
    tenant_id = await tenants.find(connection, args.tenant)
    models = [await table.find(connection, tenant_id, Kind.MODEL, model) for model in args.model]
    gone = await table.disallow(connection, tenant_id, models)
    if len(gone) == len(set(models)):
        return 0
    print("nocontent: not all of these were allowed by name; see `nocontent route list`", file=sys.stderr)
    return 1


async def _read(connection: Connection, tenant_id: int) -> View:
    async with read_connections.patiently(connection):
        return await view.read(connection, tenant_id)


class _Route(TypedDict):
    category: str
    models: list[str]
    obstacle: Obstacle | None


async def _list(connection: Connection, args: argparse.Namespace) -> int:
    found = await _read(connection, await tenants.find(connection, args.tenant))
    settings = found.table.settings
    routes = [
        _Route(
            category=found.category(category_id),
            models=[found.model(model) for model in models],
            obstacle=found.obstacle(category_id),
        )
        for category_id, models in found.table.routes.items()
    ]
    allowed = [found.model(model) for model in found.table.allowed]
    if args.json:
        print(json.dumps({
            "mode": settings.mode, "confidence_min": settings.confidence_min,
            "concurrency_max": settings.concurrency_max, "routes": routes, "allowed": allowed,
        }))  # fmt: skip
        return 0
    print(f"mode {settings.mode}, from a confidence of {settings.confidence_min / CONFIDENCE_MAX:.3f} on")
    print(f"allowed: {', '.join(allowed) or 'the models of the routes'}")
    for route in routes:
        state = "" if route["obstacle"] is None else f"  (not in force: {sentences.OBSTACLES[route['obstacle']]})"
        print(f"{route['category']:28} {' then '.join(route['models'])}{state}")
    return 0


async def _suggest(connection: Connection, args: argparse.Namespace) -> int:
    found = await _read(connection, await tenants.find(connection, args.tenant))
    if args.json:
        print(json.dumps([_facts(found, each) for each in found.suggestions]))
        return 0
    for each in found.suggestions:
        print("\n".join(_lines(found, each)))
    if not found.suggestions:
        print(f"no requests with a task category in the last {DAYS} days", file=sys.stderr)
    print(sentences.HONEST, file=sys.stderr)
    return 0


async def _explain(connection: Connection, args: argparse.Namespace) -> int:
    tenant_id = await tenants.find(connection, args.tenant)
    try:
        category_id = await table.find(connection, tenant_id, Kind.TASK_CATEGORY, args.category)
    except RouteError as refused:
        raise CannotStart(sentences.refused(refused)) from None
    found = await _read(connection, tenant_id)
    models = found.table.routes.get(category_id)
    if models is None:
        print("no route: its requests go to the model that they name, with the reason no-route")
    else:
        print(f"routed to {' then '.join(found.model(model) for model in models)}, in mode {found.table.settings.mode}")
        obstacle = found.obstacle(category_id)
        if obstacle is not None:
            print(f"not in force: {sentences.OBSTACLES[obstacle]}")
    for each in found.suggestions:
        if each.category_id == category_id:
            print("\n".join(_lines(found, each)))
    print(sentences.HONEST, file=sys.stderr)
    return 0


def _lines(found: View, each: Suggestion) -> list[str]:
    name = found.category(each.category_id)
    if each.model_id is None:
        assert each.why is not None
        lines = [f"{name:28} {sentences.why(each.why)}"]
    else:
        saved = f"{_usd(each.saved_nanousd)} of {_usd(each.spent_nanousd)} USD in {DAYS} days"
        lines = [f"{name:28} {found.model(each.model_id)} in place of {found.model(each.reference_id)}: saves {saved}"]
    for refusal in each.refusals:
        lines.append(f"    not {found.model(refusal.model_id)}: {sentences.against(refusal, each.reference)}")
    return lines


def _facts(found: View, each: Suggestion) -> dict[str, object]:
    return {
        "category": found.category(each.category_id), "compared_with": found.model(each.reference_id),
        "requests": each.events, "spent_usd": _usd(each.spent_nanousd),
        "model": each.model_id and found.model(each.model_id),
        "saved_usd": _usd(each.saved_nanousd), "covered_requests": each.covered, "why": each.why,
        "against": {found.model(refusal.model_id): refusal.against for refusal in each.refusals},
    }  # fmt: skip


def _usd(nanousd: int) -> str:
    return f"{Decimal(nanousd) / _NANO:.2f}"
