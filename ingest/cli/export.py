"""`export`: everything of a tenant as of one moment, into a folder."""

import argparse
import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path

from tqdm import tqdm

from ingest.cli import processes
from ingest.cli.arguments import Subparsers
from ingest.errors import CannotStart
from ingest.rights import restore
from ingest.rights.exporting import folder
from ingest.rights.exporting.errors import Refused
from ingest.rights.exporting.manifest import Manifest, Request
from ingest.rights.exporting.pace import Pace
from ingest.rights.exporting.run import Bar, Export
from ingest.rights.exporting.writers import FORMATS
from ingest.rights.receipts import settings
from ingest.store import connections, tenants
from ingest.store.database import require_dsn
from ingest.store.endings import LOST
from ingest.store.mail import outbox
from ingest.store.rights import completion
from ingest.store.rights.datasets import DATA

_ROLE: connections.Role = "nocontent_exporter"
_ROWS_PER_SECOND = 20_000
_EXAMPLES = """examples:
  nocontent export acme acme-2026-11 --from 2026-11-01 --before 2026-12-01 --format parquet
  nocontent export acme team-search --data events --tag team=search --format csv

Run the same command again to go on after a cut. docs/export.md"""


def add(commands: "Subparsers[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    says = "write everything of a tenant, as of one moment, into a folder"
    form = argparse.RawDescriptionHelpFormatter
    command = commands.add_parser("export", help=says, description=says, epilog=_EXAMPLES, formatter_class=form)
    command.add_argument("tenant")
    command.add_argument("folder", type=Path, metavar="DIR", help="a new or empty one, or one to go on in")
    command.add_argument("--format", choices=[*FORMATS], default="jsonl", help="(default: jsonl)")
    command.add_argument("--from", dest="first", metavar="TIME", help="a day, or such as 2026-10-01T09:00:00Z")
    command.add_argument("--before", metavar="TIME", help="the end, not included")
    command.add_argument("--data", metavar="NAMES", help=f"some of {','.join(DATA)} (default: all)")
    command.add_argument("--tag", metavar="KEY=VALUE", help="only events with this tag; with --data events")
    command.add_argument(
        "--rows-per-second", type=int, default=_ROWS_PER_SECOND, metavar="N",
        help="the pace, so that ingestion has the rest of the machine (default: %(default)s)",
    )  # fmt: skip
    command.set_defaults(run=lambda args: asyncio.run(_export(args)))


async def _export(args: argparse.Namespace) -> int:
    request = _request(args)
    wanted = processes.load()
    connection = await connections.connect_as_operator(require_dsn(wanted), _ROLE)
    try:
        await restore.require_replayed(connection, settings.folder(wanted))
        tenant_id = await tenants.find(connection, request.tenant)
        with (
            folder.opened(args.folder) as opened,
            tqdm(unit="row", unit_scale=True, delay=1, disable=not sys.stderr.isatty()) as bar,
        ):
            export = Export(connection, opened, Pace(args.rows_per_second), Bar(bar.reset, bar.update))
            manifest = await export.run(request, tenant_id)
        if manifest.is_of_everything and not manifest.differs:
            cause = outbox.cause_of("export", manifest.snapshot, manifest.at.isoformat())
            await completion.tell(connection, tenant_id, cause, sum(manifest.rows.values()))
    except LOST:
        raise Refused("export.database-lost") from None
    except connections.PostgresError as refused:
        state = connections.sqlstate(refused)
        if state.startswith(("08", "57")):
            raise Refused("export.database-lost") from None
        raise CannotStart(f"PostgreSQL refused (SQLSTATE {state}); see docs/roles.md.") from None
    finally:
        await connections.close(connection)
    _report(manifest)
    if manifest.differs:
        raise Refused("export.sums-differ")
    return 0


def _request(args: argparse.Namespace) -> Request:
    data = tuple(args.data.split(",")) if args.data else DATA
    if not set(data) <= set(DATA) or not args.rows_per_second > 0:
        raise CannotStart(f"--data takes {', '.join(DATA)}, with commas in between; --rows-per-second is at least 1.")
    if args.tag is not None and data != ("events",):
        raise Refused("export.tag-without-events")
    first, before = _time(args.first), _time(args.before)
    if first is not None and before is not None and first >= before:
        raise Refused("export.bad-range")
    ordered = tuple(each for each in DATA if each in data)
    return Request(tenant=args.tenant, format=args.format, data=ordered, first=first, before=before, tag=args.tag)


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Refused("export.bad-range") from None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)


def _report(manifest: Manifest) -> None:
    for name, rows in manifest.rows.items():
        print(f"{name:12} {rows:>14,} rows")
    verdicts = [day.verdict for day in manifest.days]
    print(f"as of {manifest.at:%Y-%m-%d %H:%M:%S} UTC")
    print(f"{verdicts.count('equal')} of {len(verdicts)} days were compared with the rollups and are equal")
    if manifest.erasures_meanwhile:
        print("erasures meanwhile: see manifest.json")
