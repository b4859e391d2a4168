"""`legal`: what is published, who accepted it, and whether all of it is as it was published."""

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

from ingest.cli import acts, processes
from ingest.cli.arguments import Subparsers
from ingest.errors import CannotStart
from ingest.legal import documents, facts, library, security_txt, subprocessors
from ingest.legal.documents import Version
from ingest.legal.library import Library
from ingest.legal.settings import LEGAL_FILE
from ingest.store import acceptances, tenants
from ingest.store.acceptances import DocumentId
from ingest.store.connections import Connection

_ADVICE = ": is the database migrated?"


def add(commands: "Subparsers[argparse.ArgumentParser]") -> None:
    """Declare the family."""
    family = acts.family(commands, "legal", "legal documents, subprocessors, and who accepted what", _ADVICE)
    listing = family.add("acceptances", _acceptances, "list what people of a tenant accepted, the newest first")
    listing.add_argument("tenant")
    for name, run, says in (
        ("list", _list, "list the published versions and subprocessors"),
        ("check", _check, "check that everything is as it was published, and name the details that are missing"),
        ("show", _show, "print a version with the operator's details: its SHA-256 is that of an acceptance"),
        ("lock", _lock, "publish what is new: add its SHA-256 to the lock"),
        ("security-txt", _security_txt, "print security.txt, as the console answers with it"),
    ):
        family.family.add_parser(name, help=says, description=says).set_defaults(run=run)
    shown = family.family.choices["show"]
    shown.add_argument("document", choices=get_args(DocumentId))
    shown.add_argument("--version", type=int, metavar="N", help="in place of the one in force")
    family.family.choices["lock"].add_argument(
        "--subprocessors", type=Path, metavar="FILE", help="an operator's own list, in place of what is shipped"
    )


async def _acceptances(connection: Connection, args: argparse.Namespace) -> int:
    """Print the acceptances; return 1 if one is of a text that this release does not have as it was."""
    known = {(each.head.id, each.head.version): each.digest for each in _versions(_library())}
    status = 0
    for each in await acceptances.of_tenant(connection, await tenants.find(connection, args.tenant)):
        own = each.accepted
        is_known = known.get((own.document, own.version)) == own.digest
        status = status if is_known else 1
        who = each.person or f"removed ({each.person_id})"
        print(
            f"{each.at:%Y-%m-%d %H:%M} {own.document:8} {own.version:3} {own.shown.hex()}"
            f" {'as published' if is_known else 'NOT as published'}  {who}"
        )
    return status


def _list(_args: argparse.Namespace) -> int:
    known, today = _library(), datetime.now(UTC).date()
    for each in _versions(known):
        state = "in force" if known.in_force(each.head.id, today) == each else ""
        print(f"{each.head.id:8} {each.head.version:3} from {each.head.effective} {each.digest.hex()} {state}".rstrip())
    for entry in known.subprocessors:
        until = f" until {entry.ended}" if entry.ended else ""
        print(f"{entry.id:20} {f'from {entry.effective}{until}' if entry.is_published else 'a draft'}")
    return 0


def _check(_args: argparse.Namespace) -> int:
    """Return 1 if a detail of the operator is missing; raises CannotStart for anything that was changed."""
    known = _library()
    if missing := known.facts.missing:
        print(f"as published; the operator's details lack {', '.join(missing)}, so nobody can accept anything yet")
        return 1
    print("as published, with all details of the operator")
    return 0


def _show(args: argparse.Namespace) -> int:
    known = _library()
    version = known.in_force(args.document, datetime.now(UTC).date())
    if args.version is not None:
        found = [each for each in known.published[version.head.id] if each.head.version == args.version]
        if not found:
            raise CannotStart("There is no such version: see `nocontent legal list`.")
        version = found[0]
    print(version.shown(known.facts), end="")
    return 0


def _lock(args: argparse.Namespace) -> int:
    """Add what is new to the locks; raises CannotStart for a change of what was published."""
    if args.subprocessors is None:
        _extend(documents.LOCK, documents.sums())
    path = args.subprocessors or subprocessors.SHIPPED
    listed = subprocessors.read(path)
    _extend(subprocessors.lock_of(path), subprocessors.sums(listed))
    subprocessors.load(path)
    return 0


def _security_txt(_args: argparse.Namespace) -> int:
    known = processes.load()
    contact = facts.load(known).security_uri
    if contact is None:
        raise CannotStart(f"{LEGAL_FILE} names no security_contact, so there is no security.txt.")
    print(security_txt.render(contact, known.console_url.removesuffix("/")), end="")
    return 0


def _extend(lock: Path, wanted: str) -> None:
    """Write a lock that has all lines of the one before."""
    old = lock.read_text("ascii").splitlines() if lock.exists() else []
    lines = wanted.splitlines()
    if not set(old) <= set(lines):
        raise CannotStart(f"{lock.name} has what was changed or removed since it was published: restore that first.")
    lock.write_text(wanted, "ascii")
    print(f"{lock.name}: {len(lines) - len(old)} added, {len(lines)} in all")


def _library() -> Library:
    return library.load(processes.load())


def _versions(known: Library) -> list[Version]:
    return [each for versions in known.published.values() for each in versions]
