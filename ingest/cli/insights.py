"""`insights`: releases a month of figures across tenants, prints releases and the ledger; leaves tenants out."""

import argparse
import asyncio
import sys
from datetime import date
from pathlib import Path

from ingest.cli import acts
from ingest.cli.arguments import Subparsers
from ingest.errors import CannotStart
from ingest.insights import document
from ingest.insights import release as releasing
from ingest.store import insights, tenants
from ingest.store.connections import Connection, Role
from ingest.store.errors import MonthReleased

_ADVICE = "; see docs/roles.md."
_RELEASER: Role = "nocontent_biller"


def add(commands: "Subparsers[argparse.ArgumentParser]") -> None:
    """Declare the commands."""
    says = "figures on routing across tenants, with noise, released once a month; docs/insights.md"
    family = acts.family(commands, "insights", says, _ADVICE)
    reading = family._replace(role=_RELEASER)
    release = reading.add("release", _release, "release a month that has ended, once, and print it; again: print it")
    show = reading.add("show", _show, "print the release of a month")
    for command in (release, show):
        command.add_argument("month", type=_month, metavar="YYYY-MM")
        command.add_argument("--to", metavar="FILE", help="write it to a file")
    reading.add("ledger", _ledger, "list releases with what each has spent of every tenant's privacy")
    for name, act, does in (
        ("exclude", _exclude, "leave a tenant out from the next release on"),
        ("include", _include, "have a tenant take part from the next release on"),
    ):
        family.add(name, act, does).add_argument("tenant")
    family.add("excluded", _excluded, "list the tenants that take no part")


def _month(text: str) -> date:
    try:
        return date.fromisoformat(f"{text}-01")
    except ValueError:
        raise argparse.ArgumentTypeError("a month is a year and a month, such as 2026-10") from None


async def _release(connection: Connection, args: argparse.Namespace) -> int:
    try:
        await releasing.release(connection, args.month)
    except MonthReleased:
        print("that month is released: here it is again, without new noise", file=sys.stderr)
    return await _show(connection, args)


async def _show(connection: Connection, args: argparse.Namespace) -> int:
    found = await document.read(connection, args.month)
    if found is None:
        print("nocontent: that month is not released; see `nocontent insights ledger`", file=sys.stderr)
        return 1
    if args.to is None:
        sys.stdout.write(document.encode(found).decode())
    else:
        await asyncio.to_thread(_write, Path(args.to), document.encode(found))
        print(f"{len(found.routes)} routes", file=sys.stderr)
    return 0


def _write(path: Path, content: bytes) -> None:
    """Write a whole file, or leave the one that is there."""
    part = path.with_name(f"{path.name}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    except OSError:
        raise CannotStart("The file cannot be written. The release is in the ledger: print it again.") from None


async def _ledger(connection: Connection, _args: argparse.Namespace) -> int:
    for row in await insights.ledger(connection):
        print(
            f"{row.month:%Y-%m}  released {row.released_at:%Y-%m-%d %H:%M} UTC"
            f"  epsilon {row.epsilon_millionths / 1e6:g}  delta {row.delta_billionths / 1e9:g}  scheme {row.scheme}"
        )
    return 0


async def _exclude(connection: Connection, args: argparse.Namespace) -> int:
    return await _set(connection, args, takes_part=False)


async def _include(connection: Connection, args: argparse.Namespace) -> int:
    return await _set(connection, args, takes_part=True)


async def _set(connection: Connection, args: argparse.Namespace, *, takes_part: bool) -> int:
    tenant_id = await tenants.find(connection, args.tenant)
    await insights.set_takes_part(connection, tenant_id, takes_part=takes_part)
    return 0


async def _excluded(connection: Connection, _args: argparse.Namespace) -> int:
    for name in await insights.excluded(connection):
        print(name)
    return 0
