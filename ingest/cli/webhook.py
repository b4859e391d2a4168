"""`webhook`: an operator's acts on the webhooks of a tenant."""

import argparse
import sys
from uuid import UUID

from ingest.alerts.webhooks import addresses, settings, signing
from ingest.cli import acts, processes
from ingest.cli.arguments import Subparsers
from ingest.errors import CannotStart
from ingest.store import tenants
from ingest.store.audit import Audit
from ingest.store.connections import Connection
from ingest.store.webhooks import webhooks
from ingest.store.webhooks.errors import BadUrl, TooMany
from ingest.store.webhooks.webhooks import WebhookRow

_ADVICE = ": is the database migrated?"
_BAD_URL = "A webhook goes to https://, the public name of a host, and a path, with nothing more (docs/webhooks.md)."
_TOO_MANY = f"A tenant has {webhooks.WEBHOOKS_MAX} webhooks at most: end one first."
_TOO_MANY_TESTS = "A webhook can be tested ten times an hour."
_NO_KEYS = f"{settings.KEYS_FILE} names no file: `nocontent account keygen` makes one for the console and the jobs."
_MISSING = "nocontent: the tenant has no such webhook, or it has ended; see `nocontent webhook list`"


def add(commands: "Subparsers[argparse.ArgumentParser]") -> None:
    """Declare the family."""
    family = acts.family(commands, "webhook", "addresses to which a tenant's events are posted", _ADVICE)
    made = family.add("add", _add, "add a webhook, and print its id")
    made.add_argument("tenant")
    made.add_argument("url", help="https://host/path")
    family.add("list", _list, "list webhooks with their state").add_argument("tenant")
    for name, act, says in (
        ("secret", _secret, "print the secret with which the receiver verifies; the audit notes it"),
        ("test", _test, "have a webhook-test posted"),
        ("end", _end, "post nothing to it any more; what waits is not sent"),
    ):
        command = family.add(name, act, says)
        command.add_argument("tenant")
        command.add_argument("webhook", type=UUID, help="the id, as `webhook list` shows it")


async def _add(connection: Connection, args: argparse.Namespace) -> int:
    given = processes.load()
    tenant = await tenants.find(connection, args.tenant)
    try:
        allows_loopback = settings.allows_loopback(given)
        print(await webhooks.add(connection, tenant, addresses.normal(args.url, allows_loopback=allows_loopback)))
    except BadUrl:
        raise CannotStart(_BAD_URL) from None
    except TooMany:
        raise CannotStart(_TOO_MANY) from None
    return 0


async def _list(connection: Connection, args: argparse.Namespace) -> int:
    for row in await webhooks.list_all(connection, await tenants.find(connection, args.tenant)):
        print(f"{row.webhook_id}  {_state(row):32} {row.url}")
    return 0


def _state(row: WebhookRow) -> str:
    if row.ended_at is not None:
        return f"over since {row.ended_at:%Y-%m-%d} ({row.ended_because})"
    return f"fails since {row.failing_since:%Y-%m-%d %H:%M}" if row.failing_since else "active"


async def _secret(connection: Connection, args: argparse.Namespace) -> int:
    own = settings.keys(processes.load())
    if own is None:
        raise CannotStart(_NO_KEYS)
    tenant = await tenants.find(connection, args.tenant)
    found = await webhooks.find(connection, tenant, args.webhook)
    if found is None or found.ended_at is not None:
        return _missing()
    await Audit(connection).note(tenant, "webhook.show-secret")
    print(signing.secret(own(), args.webhook))
    return 0


async def _test(connection: Connection, args: argparse.Namespace) -> int:
    try:
        made = await webhooks.test(connection, await tenants.find(connection, args.tenant), args.webhook)
    except TooMany:
        raise CannotStart(_TOO_MANY_TESTS) from None
    return _missing() if made is None else 0


async def _end(connection: Connection, args: argparse.Namespace) -> int:
    ended = await webhooks.end(connection, await tenants.find(connection, args.tenant), args.webhook)
    return 0 if ended else _missing()


def _missing() -> int:
    print(_MISSING, file=sys.stderr)
    return 1
