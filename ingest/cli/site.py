"""`site`: prints how often public pages were looked at, and from which sites they were reached."""

import argparse
import asyncio
import csv
import sys
from datetime import UTC, datetime
from pathlib import Path

from ingest.cli import acts
from ingest.cli.arguments import Subparsers
from ingest.console import render
from ingest.console.site import lists, report
from ingest.console.site.report import Line
from ingest.errors import CannotStart
from ingest.store import site_counts

_DAYS_MAX = 3_660
_BAR_CHARS = 30


def add(commands: "Subparsers[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    says = (
        "print views of public pages and the sites that led there, by closed lists; nothing about visitors is counted"
    )
    command = commands.add_parser("site", help=says, description=says)
    command.set_defaults(run=lambda args: asyncio.run(_site(args)))
    command.add_argument("--days", type=_days, default=30, help="how many, today included (default: 30)")
    form = command.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help="one line a day and name")
    form.add_argument("--html", metavar="FILE", help="write a page with bars, which needs no script")


def _days(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(_DAYS_MAX)) and 1 <= int(text) <= _DAYS_MAX):
        raise argparse.ArgumentTypeError(f"1 to {_DAYS_MAX:,} days can be printed")
    return int(text)


async def _site(args: argparse.Namespace) -> int:
    async with acts.operator("nocontent_control", "; see docs/roles.md.") as connection:
        pages = await site_counts.read_pages(connection, args.days)
        referrers = await site_counts.read_referrers(connection, args.days)
    if args.csv:
        out = csv.writer(sys.stdout, lineterminator="\n")
        out.writerow(["day", "kind", "name", "views"])
        for kind, counts, names in (("page", pages, lists.PAGES), ("referrer", referrers, lists.REFERRERS)):
            out.writerows([each.day, kind, names.get(each.number, "other"), each.views] for each in counts)
        return 0
    found = {
        "Pages": report.lines(pages, lists.PAGES),
        "Sites that led there": report.lines(referrers, lists.REFERRERS),
    }
    if args.html is None:
        print("\n".join(line for caption, rows in found.items() for line in _table(caption, rows)))
    else:
        charts = found | {"Days": report.by_day(pages, datetime.now(UTC).date(), args.days)}
        page = render.environment().get_template("site_report.html").render(charts=charts, days=args.days)
        await asyncio.to_thread(_write, Path(args.html), page)
    return 0


def _table(caption: str, rows: list[Line]) -> list[str]:
    bars = [f"  {row.name:20} {row.views:>9,}  {'#' * round(_BAR_CHARS * row.share)}".rstrip() for row in rows]
    return [caption, *(bars or ["  nothing was counted"])]


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, "utf-8")
    except OSError:
        raise CannotStart("The page cannot be written there.") from None
