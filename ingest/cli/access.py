"""`access`: write everything that is held of a tenant, or of a person in one, to an archive with an index."""

import argparse
import asyncio
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from tqdm import tqdm

from ingest.cli import acts, processes
from ingest.cli.arguments import Subparsers
from ingest.errors import CannotStart
from ingest.rights import restore
from ingest.rights.access import archive
from ingest.rights.access.archive import Wanted
from ingest.rights.receipts import settings
from ingest.store import tenants
from ingest.store.connections import Connection
from ingest.store.mail import outbox
from ingest.store.rights import completion, holdings

_EXAMPLES = """\
examples:
  nocontent access --tenant acme /srv/handed-out
  nocontent access --tenant acme --tag team=night-shift /srv/handed-out
"""


def add(commands: "Subparsers[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    says = "write everything that is held of a tenant, or of a person in one, to an archive with an index"
    form = argparse.RawDescriptionHelpFormatter
    command = commands.add_parser("access", help=says, description=says, epilog=_EXAMPLES, formatter_class=form)
    command.add_argument("--tenant", required=True)
    command.add_argument("--tag", metavar="KEY=VALUE", help="only what has this tag, by which a person is recognized")
    command.add_argument("folder", type=Path, metavar="DIR", help="where to write it, for the login's own eyes")
    command.set_defaults(run=lambda args: asyncio.run(_access(args)))


async def _access(args: argparse.Namespace) -> int:
    async with acts.operator(holdings.ROLE, "; see docs/rights.md.") as connection:
        await restore.require_replayed(connection, settings.folder(processes.load()))
        return await _write(connection, await _wanted(connection, args), args.folder)


async def _wanted(connection: Connection, args: argparse.Namespace) -> Wanted:
    tenant_id = await tenants.find(connection, args.tenant)
    if args.tag is None:
        return Wanted(tenant_id, None)
    key, _, value = args.tag.partition("=")
    return Wanted(tenant_id, await holdings.find_person(connection, tenant_id, key, value))


async def _write(connection: Connection, wanted: Wanted, folder: Path) -> int:
    """Write the archive under another name, and give it its own when it is whole."""
    path = folder / f"access-{wanted.tenant_id}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.zip"
    part = path.with_suffix(".part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as refused:
        raise CannotStart(f"The archive cannot be written there: {os.strerror(refused.errno or 0)}.") from None
    try:
        with os.fdopen(descriptor, "wb") as target, tqdm(unit=" rows", delay=1, disable=not sys.stderr.isatty()) as bar:
            index = await archive.write(connection, wanted, target, bar.update)
            target.flush()
            os.fsync(target.fileno())
        part.rename(path)
    finally:
        part.unlink(missing_ok=True)
    held = [entry for entry in index.entries if entry.file is not None]
    rows = sum(entry.rows or 0 for entry in held)
    if wanted.person is None:
        cause = outbox.cause_of("access", index.as_of.isoformat())
        await completion.tell(connection, wanted.tenant_id, cause, rows)
    print(f"{rows:,} rows of {len(held)} tables: {path}")
    print(f"{len(index.entries) - len(held)} tables and kinds of files are not in it: its index says why")
    return 0
