"""`account`: an operator's acts on the people of a tenant, and the keys that sign their sessions."""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

from ingest.accounts.links import Link
from ingest.accounts.roles import ROLES
from ingest.cli import acts, processes
from ingest.cli.arguments import Subparsers
from ingest.errors import CannotStart
from ingest.knowledge import keys
from ingest.store import tenants
from ingest.store.accounts import errors, people
from ingest.store.accounts.people import LinkKind, NewPerson
from ingest.store.connections import Connection
from ingest.store.mail import outbox
from ingest.store.mail.kinds import Kind
from ingest.store.mail.outbox import Letter
from ingest.store.mail.sending import LINKS_AN_HOUR

_PRINT_LINK = "print the link also if there is a mail server, and send no letter"
_ADVICE = ": is the database migrated?"
_LETTERS: Mapping[LinkKind, Kind] = {"invitation": "invitation", "reset": "reset"}
_REFUSED: dict[type[errors.PeopleError], str] = {
    errors.LastOwner: "that is the last owner who can sign in: invite another one first",
    errors.PersonUnknown: "the tenant has nobody for whom that makes sense; see `nocontent account list`",
    errors.AddressTaken: "the tenant has a person with that address",
    errors.BadDetails: "an address is a lower-case mail address, a name has no digits and no marks but . ' , and -",
    errors.TooManyPeople: "a tenant has up to 1,000 people",
    errors.TooManyLetters: f"a person gets {LINKS_AN_HOUR} such links by mail an hour; the one before stays",
}


def add(commands: "Subparsers[argparse.ArgumentParser]") -> None:
    """Declare the family."""
    family = acts.family(commands, "account", "people who use the console", _ADVICE)
    invite = family.add(
        "invite", _explained(_invite), "add a person, and mail or print a link that sets a password, once, for 7 days"
    )
    _add_person(invite)
    invite.add_argument("--role", choices=ROLES, required=True)
    invite.add_argument("--name", required=True)
    invite.add_argument("--print-link", action="store_true", help=_PRINT_LINK)
    family.add("list", _list, "list people with role and state").add_argument("tenant")
    role = family.add("role", _explained(_role), "give a person another role; the person has to sign in again")
    _add_person(role)
    role.add_argument("role", choices=ROLES)
    for name, act, says in (
        ("disable", _disable, "keep a person out from the next request on"),
        ("enable", _enable, "let a person sign in again"),
        ("sign-out", _sign_out, "end all sessions of a person"),
        ("end-totp", _end_totp, "ask a person who lost the authenticator for no codes"),
        ("remove", _remove, "delete everything about a person; lines of the audit keep an id"),
    ):
        _add_person(family.add(name, _explained(act), says))
    reset = family.add(
        "reset", _explained(_reset), "mail or print a link that sets another password, once, for 30 minutes"
    )
    _add_person(reset)
    reset.add_argument("--print-link", action="store_true", help=_PRINT_LINK)
    says = (
        "make a file of keys of sessions, of links that unsubscribe or of webhooks, or put a new key before the first"
    )
    keygen = family.family.add_parser("keygen", help=says, description=says)
    keygen.add_argument("file", help="the one that NOCONTENT_SESSION_KEYS_FILE, or the like, names")
    keygen.set_defaults(run=_keygen)


def _add_person(command: argparse.ArgumentParser) -> None:
    command.add_argument("tenant")
    command.add_argument("email")


async def _invite(connection: Connection, args: argparse.Namespace) -> int:
    tenant = await tenants.find(connection, args.tenant)
    email, name = args.email.strip().lower(), " ".join(args.name.split())
    try:
        async with connection.transaction():
            person = await people.add(connection, tenant, NewPerson(email, name, args.role))
            await _pass_on(connection, args, people.Key(tenant, person), "invitation")
    except errors.AddressTaken:  # Somebody who has not accepted gets another link.
        return await _link(connection, args, "invitation")
    return 0


async def _list(connection: Connection, args: argparse.Namespace) -> int:
    for row in await people.list_all(connection, await tenants.find(connection, args.tenant)):
        state = "disabled" if row.disabled_at else "active" if row.password_changed_at else "invited"
        seen = f"signed in {row.last_sign_in_at:%Y-%m-%d}" if row.last_sign_in_at else ""
        codes = "codes" if row.totp_since else ""
        print(f"{row.email:32} {row.role:8} {state:9} {codes:6} {seen}".rstrip())
    return 0


async def _role(connection: Connection, args: argparse.Namespace) -> int:
    await people.set_role(connection, *await _find(connection, args), args.role)
    return 0


async def _disable(connection: Connection, args: argparse.Namespace) -> int:
    return await _set_disabled(connection, args, disabled=True)


async def _enable(connection: Connection, args: argparse.Namespace) -> int:
    return await _set_disabled(connection, args, disabled=False)


async def _set_disabled(connection: Connection, args: argparse.Namespace, *, disabled: bool) -> int:
    await people.set_disabled(connection, *await _find(connection, args), disabled=disabled)
    return 0


async def _reset(connection: Connection, args: argparse.Namespace) -> int:
    return await _link(connection, args, "reset")


async def _sign_out(connection: Connection, args: argparse.Namespace) -> int:
    print(f"{await people.sign_out(connection, *await _find(connection, args))} sessions ended")
    return 0


async def _end_totp(connection: Connection, args: argparse.Namespace) -> int:
    await people.clear_totp(connection, *await _find(connection, args))
    return 0


async def _remove(connection: Connection, args: argparse.Namespace) -> int:
    await people.remove(connection, *await _find(connection, args))
    return 0


def _keygen(args: argparse.Namespace) -> int:
    made = keys.write(Path(args.file))
    print(f"{len(made.own)} keys in force; {made.first.key_id} signs")
    return 0


async def _find(connection: Connection, args: argparse.Namespace) -> people.Key:
    tenant = await tenants.find(connection, args.tenant)
    return people.Key(tenant, await people.find(connection, tenant, args.email.strip().lower()))


async def _link(connection: Connection, args: argparse.Namespace, kind: LinkKind) -> int:
    async with connection.transaction():
        await _pass_on(connection, args, await _find(connection, args), kind)
    return 0


async def _pass_on(connection: Connection, args: argparse.Namespace, person: people.Key, kind: LinkKind) -> None:
    """Have a letter take a link to the person, or print one; without a mail server, print it and keep the letter."""
    settings, link = processes.load(), Link.make()
    expires_at = await people.add_link(connection, *person, kind, link.digest)
    if not args.print_link:
        await outbox.put(connection, person.tenant_id, Letter(_LETTERS[kind], person.person_id, (), (), uuid4()))
        if settings.smtp_url and await outbox.exceeds_limit(connection, *person, _LETTERS[kind]):
            raise errors.TooManyLetters
    if args.print_link or not settings.smtp_url:
        print(f"works once, until {expires_at:%Y-%m-%d %H:%M} UTC:", file=sys.stderr)
        print(link.url(settings.console_url))
    else:
        print("a letter with the link goes to that address: `nocontent mail list`", file=sys.stderr)


def _explained(act: acts.Act) -> acts.Act:
    """Return an act that prints why it was refused."""

    async def explained(connection: Connection, args: argparse.Namespace) -> int:
        try:
            return await act(connection, args)
        except errors.PeopleError as refused:
            if type(refused) not in _REFUSED:
                raise CannotStart("PostgreSQL refused: this login may not change people.") from None
            print(f"nocontent: {_REFUSED[type(refused)]}", file=sys.stderr)
            return 1

    return explained
