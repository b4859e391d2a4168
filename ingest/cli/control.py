"""`tenant`, `token`, `reader`, `vocabulary`, `tags`: an operator's acts, which workers follow within a second."""

import argparse
import sys
from datetime import timedelta
from pathlib import Path

from ingest.cli import acts
from ingest.cli.acts import Acts
from ingest.cli.arguments import Subparsers
from ingest.cli.registration import Given, register, say_refused
from ingest.errors import CannotStart
from ingest.knowledge.diagnostics import Diagnostics
from ingest.store import readers, registration, tenants, tokens, vocabulary
from ingest.store.connections import Connection
from schema.event import Kind
from schema.learning import Candidate
from schema.vocabulary import Mode

_ADVICE = ": does a name break the grammar?"  # The tables have CHECKs on names.
_MODED = {**registration.KINDS, "tag": Kind.TAG_VALUE}
_SPAN_MAX = 36_500.0  # Days: a century, which PostgreSQL's and Python's times can hold.
_ID_HELP = "the 12 characters after nct_, as `token list` shows them"
_MISSING = "nocontent: no {}token has that id; see `nocontent token list`"
_KIND_HELP = "category, provider, model, or tag:KEY for values of a declared tag key"


def add(commands: "Subparsers[argparse.ArgumentParser]") -> None:
    """Declare the operator's commands."""
    _add_tenant(_family(commands, "tenant", "customers whose proxies send"))
    _add_token(_family(commands, "token", "bearer tokens of a tenant"))
    _add_reader(_family(commands, "reader", "database logins that read a tenant's rows"))
    _add_vocabulary(_family(commands, "vocabulary", "terms a tenant may send in addition to the shipped catalogue"))
    tags = _family(commands, "tags", "tag keys a tenant has opted in to")
    declare = tags.add("declare", _declare, "opt in to tag keys; a key that names content or a credential is refused")
    declare.add_argument("tenant")
    declare.add_argument("key", nargs="+")


def _add_tenant(family: Acts) -> None:
    family.add("add", _tenant_add, "add a tenant").add_argument("tenant", help="a short lower-case name")
    rename = family.add("rename", _tenant_rename, "correct a tenant's name; its number, tokens and rows stay")
    rename.add_argument("tenant")
    rename.add_argument("new_name", help="a short lower-case name")
    family.add("list", _tenant_list, "list tenants with their modes, quotas and diagnostics")
    mode = family.add("mode", _tenant_mode, "set how terms that are not registered are treated")
    mode.add_argument("tenant")
    mode.add_argument("kind", choices=[*_MODED])
    mode.add_argument(
        "mode", choices=[mode.name.lower() for mode in Mode], help="refuse them, store `unknown`, or learn them"
    )
    quota = family.add("quota", _tenant_quota, "limit a tenant's events per minute")
    quota.add_argument("tenant")
    quota.add_argument("events_per_minute", type=int, help="0 for no limit")
    diagnostics = family.add("diagnostics", _tenant_diagnostics, "set how free-text diagnostics are treated")
    diagnostics.add_argument("tenant")
    diagnostics.add_argument(
        "diagnostics",
        choices=[each.name.lower() for each in Diagnostics],
        help="refuse a record that carries one, or drop the text and store the record",
    )
    family.add("disable", _tenant_disable, "stop accepting a tenant's events").add_argument("tenant")
    family.add("enable", _tenant_enable, "accept a disabled tenant's events again").add_argument("tenant")


def _add_token(family: Acts) -> None:
    issue = family.add("issue", _token_issue, "print a new token, once; only its SHA-256 is stored")
    issue.add_argument("tenant")
    issue.add_argument(
        "--scope", action="append", choices=tokens.SCOPES, help="may be repeated (default: the first three)"
    )
    issue.add_argument("--days", type=_span, help="until it expires (default: never)")
    rotate = family.add("rotate", _token_rotate, "print a token's successor, once; the old one expires soon")
    rotate.add_argument("tenant")
    rotate.add_argument("token_id", help=_ID_HELP)
    rotate.add_argument("--overlap", type=_span, default=24.0, metavar="HOURS", help="while both work (default: 24)")
    rotate.add_argument("--days", type=_span, help="until the new one expires (default: the old one's lifetime)")
    revoke = family.add("revoke", _token_revoke, "revoke a token; every worker follows within seconds")
    revoke.add_argument("token_id", help=_ID_HELP)
    family.add(
        "list", _token_list, "list tokens, without their secrets, and the hour (UTC) in which each was last used"
    ).add_argument("tenant", nargs="?")


def _add_reader(family: Acts) -> None:
    grant = family.add("add", _reader_add, "allow a login that has the role nocontent_reader to read a tenant")
    revoke = family.add("remove", _reader_remove, "revoke a login's read access, from its next query on")
    for command in (grant, revoke):
        command.add_argument("tenant")
        command.add_argument("login", help="the name of a PostgreSQL role that can log in")
    family.add("list", _reader_list, "list the logins that may read a tenant").add_argument("tenant", nargs="?")


def _span(text: str) -> float:
    """Parse an amount of time; argparse turns a ValueError into a usage error."""
    amount = float(text)
    if not 0 <= amount <= _SPAN_MAX:
        raise ValueError
    return amount


def _add_vocabulary(family: Acts) -> None:
    add_terms = family.add("add", _vocabulary_add, "register terms that pass the detectors of secrets and prose")
    remove = family.add("remove", _vocabulary_remove, "refuse terms from now on; stored rows keep them")
    for command in (add_terms, remove):
        command.add_argument("tenant")
        command.add_argument("kind", help=_KIND_HELP)
        command.add_argument("term", nargs="+")
    import_file = family.add("import", _vocabulary_import, "register the terms in a file, one per line")
    import_file.add_argument("tenant")
    import_file.add_argument("kind", help=_KIND_HELP)
    import_file.add_argument("file", help="- for standard input")
    show = family.add("list", _vocabulary_list, "list a tenant's own terms")
    show.add_argument("tenant")


def _family(commands: "Subparsers[argparse.ArgumentParser]", name: str, says: str) -> Acts:
    return acts.family(commands, name, says, _ADVICE)


async def _tenant_add(connection: Connection, args: argparse.Namespace) -> int:
    print(f"tenant {await tenants.add(connection, args.tenant)}")
    return 0


async def _tenant_rename(connection: Connection, args: argparse.Namespace) -> int:
    await tenants.rename(connection, args.tenant, args.new_name)
    return 0


async def _tenant_list(connection: Connection, _args: argparse.Namespace) -> int:
    for row in await tenants.list_all(connection):
        modes = " ".join(f"{kind.name.lower()}={mode.name.lower()}" for kind, mode in row.modes.items())
        quota = f"{row.events_per_minute_max} events/min" if row.events_per_minute_max else "no quota"
        state = "disabled" if row.disabled else "enabled"
        diagnostics = f"diagnostics={row.diagnostics.name.lower()}"
        print(f"{row.tenant_id:6}  {row.name:24} {state:9} {quota:20} {modes} {diagnostics}")
    return 0


async def _tenant_mode(connection: Connection, args: argparse.Namespace) -> int:
    tenant = await tenants.find(connection, args.tenant)
    await tenants.set_mode(connection, tenant, _MODED[args.kind], Mode[args.mode.upper()])
    return 0


async def _tenant_quota(connection: Connection, args: argparse.Namespace) -> int:
    tenant = await tenants.find(connection, args.tenant)
    await tenants.set_quota(connection, tenant, args.events_per_minute or None)
    return 0


async def _tenant_diagnostics(connection: Connection, args: argparse.Namespace) -> int:
    tenant = await tenants.find(connection, args.tenant)
    await tenants.set_diagnostics(connection, tenant, Diagnostics[args.diagnostics.upper()])
    return 0


async def _tenant_disable(connection: Connection, args: argparse.Namespace) -> int:
    await tenants.set_disabled(connection, await tenants.find(connection, args.tenant), disabled=True)
    return 0


async def _tenant_enable(connection: Connection, args: argparse.Namespace) -> int:
    await tenants.set_disabled(connection, await tenants.find(connection, args.tenant), disabled=False)
    return 0


async def _token_issue(connection: Connection, args: argparse.Namespace) -> int:
    tenant = await tenants.find(connection, args.tenant)
    lifetime = None if args.days is None else timedelta(days=args.days)
    print(await tokens.issue(connection, tenant, args.scope or tokens.SCOPES_DEFAULT, lifetime))
    return 0


async def _token_revoke(connection: Connection, args: argparse.Namespace) -> int:
    tenant = await tokens.tenant_of(connection, args.token_id)
    if tenant is not None and await tokens.revoke(connection, tenant, args.token_id):
        return 0
    print(_MISSING.format(""), file=sys.stderr)
    return 1


async def _token_rotate(connection: Connection, args: argparse.Namespace) -> int:
    tenant = await tenants.find(connection, args.tenant)
    lifetime = None if args.days is None else timedelta(days=args.days)
    rotated = await tokens.rotate(connection, tenant, args.token_id, timedelta(hours=args.overlap), lifetime)
    if rotated is None:
        print(_MISSING.format("good "), file=sys.stderr)
        return 1
    new = f"until {rotated.expires_at:%Y-%m-%d %H:%M} UTC" if rotated.expires_at else "without end"
    print(f"the new token works {new}, the old one until {rotated.old_expires_at:%Y-%m-%d %H:%M} UTC", file=sys.stderr)
    print(rotated.token)
    return 0


async def _token_list(connection: Connection, args: argparse.Namespace) -> int:
    tenant = await tenants.find(connection, args.tenant) if args.tenant else None
    for row in await tokens.list_all(connection, tenant):
        state = (
            "revoked" if row["revoked_at"] else f"until {row['expires_at']:%Y-%m-%d}" if row["expires_at"] else "good"
        )
        used = f"used {row['last_used_at']:%Y-%m-%d %H}h" if row["last_used_at"] else "not used"
        print(f"{row['token_id']}  {row['name']:24} {state:17} {used:19} {' '.join(row['scopes'])}")
    return 0


async def _reader_add(connection: Connection, args: argparse.Namespace) -> int:
    await readers.add(connection, await tenants.find(connection, args.tenant), args.login)
    return 0


async def _reader_remove(connection: Connection, args: argparse.Namespace) -> int:
    if await readers.remove(connection, await tenants.find(connection, args.tenant), args.login):
        return 0
    print("nocontent: that login does not read this tenant; see `nocontent reader list`", file=sys.stderr)
    return 1


async def _reader_list(connection: Connection, args: argparse.Namespace) -> int:
    tenant = await tenants.find(connection, args.tenant) if args.tenant else None
    for row in await readers.list_all(connection, tenant):
        print(f"{row['login']:32} {row['name']:24} since {row['created_at']:%Y-%m-%d}")
    return 0


async def _declare(connection: Connection, args: argparse.Namespace) -> int:
    tenant = await tenants.find(connection, args.tenant)
    refused = 0
    for place, key in enumerate(args.key, 1):
        rule = await vocabulary.declare_tag(connection, tenant, key)
        refused += say_refused("term", place, rule)
    return 1 if refused else 0


async def _vocabulary_add(connection: Connection, args: argparse.Namespace) -> int:
    return await _register(connection, args, Given("term", dict(enumerate(args.term, 1))))


async def _vocabulary_import(connection: Connection, args: argparse.Namespace) -> int:
    try:
        text = sys.stdin.read() if args.file == "-" else Path(args.file).read_text("ascii")  # noqa: ASYNC240 (alone)
    except (OSError, UnicodeDecodeError):
        raise CannotStart("The file cannot be read or is not ASCII.") from None
    lines = {number: line.strip() for number, line in enumerate(text.splitlines(), 1)}
    return await _register(connection, args, Given("line", {number: line for number, line in lines.items() if line}))


async def _register(connection: Connection, args: argparse.Namespace, given: Given) -> int:
    tenant = await tenants.find(connection, args.tenant)
    kind, parent = await _kind(connection, tenant, args.kind)
    return await register(connection, tenant, (kind, parent), given)


async def _vocabulary_remove(connection: Connection, args: argparse.Namespace) -> int:
    tenant = await tenants.find(connection, args.tenant)
    kind, parent = await _kind(connection, tenant, args.kind)
    removed = [await vocabulary.remove(connection, tenant, Candidate(kind, parent, term)) for term in args.term]
    print(f"{sum(removed)} removed, {len(removed) - sum(removed)} not found")
    return 0 if all(removed) else 1


async def _vocabulary_list(connection: Connection, args: argparse.Namespace) -> int:
    rows = await vocabulary.list_all(connection, await tenants.find(connection, args.tenant))
    keys = {row["term_id"]: row["term"] for row in rows if row["kind"] == Kind.TAG_KEY}
    for row in rows:
        kind = (
            f"tag:{keys.get(row['parent_id'], '?')}"
            if row["kind"] == Kind.TAG_VALUE
            else Kind(row["kind"]).name.lower()
        )
        print(f"{kind:24} {row['term']:40} {'learned' if row['learned'] else ''}".rstrip())
    return 0


async def _kind(connection: Connection, tenant_id: int, name: str) -> tuple[Kind, int]:
    found = await registration.kind_named(connection, tenant_id, name)
    if found is not None:
        return found
    if not name.startswith("tag:"):
        raise CannotStart(f"A kind is {_KIND_HELP}.")
    raise CannotStart("This tenant has not declared that tag key: `nocontent tags declare` first.")
