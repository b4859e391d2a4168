"""`mail`: letters that were sent or would have been, and how each kind looks."""

import argparse
import sys
from pathlib import Path
from uuid import UUID

from ingest.alerts.letters import examples, gather
from ingest.alerts.letters.render import Links, Rendered, render
from ingest.alerts.mail import bounces
from ingest.alerts.mail.settings import relay
from ingest.cli import acts, processes
from ingest.cli.arguments import Subparsers
from ingest.errors import CannotStart
from ingest.store import tenants
from ingest.store.connections import Connection
from ingest.store.mail import letters, outbox
from ingest.store.mail.kinds import KINDS

_ADVICE = "; see docs/mail.md."
_HTML_HELP = "also write the HTML into a file"
_LINES = 500


def add(commands: "Subparsers[argparse.ArgumentParser]") -> None:
    """Declare the commands."""
    family = acts.family(commands, "mail", "letters: what was sent, or would have been", _ADVICE)._replace(
        role="nocontent_mailer"
    )
    listing = family.add("list", _list, "list the letters of a tenant, the newest first")
    listing.add_argument("tenant")
    listing.add_argument("--all", action="store_true", help=f"not only the last {_LINES}")
    show = family.add("show", _show, "print the text of a letter, without the links that only its recipient may have")
    show.add_argument("tenant")
    show.add_argument("letter", type=UUID)
    says = "print the example of a kind of letter; needs no database"
    preview = family.family.add_parser("preview", help=says, description=says)
    preview.add_argument("kind", choices=KINDS)
    preview.set_defaults(run=_preview)
    family.add("bounced", _bounced, "read a delivery status notification from standard input, and mark its letter")
    for command in (show, preview):
        command.add_argument("--html", type=Path, metavar="FILE", help=_HTML_HELP)


async def _list(connection: Connection, args: argparse.Namespace) -> int:
    tenant_id = await tenants.find(connection, args.tenant)
    if not processes.load().smtp_url:
        print("NOCONTENT_SMTP_URL is not set here: without a mail server, letters wait", file=sys.stderr)
    page = await letters.page(connection, tenant_id, None, _LINES)
    while True:
        for line in page.lines:
            print(
                f"{line.letter_id}  {line.created_at:%Y-%m-%d %H:%M}  {line.kind:19}  {line.state:10}"
                f"  {line.email or '(removed)'}"
            )
        if page.next_after is None or not args.all:
            return 0
        page = await letters.page(connection, tenant_id, page.next_after, _LINES)


async def _show(connection: Connection, args: argparse.Namespace) -> int:
    found = await letters.find(connection, await tenants.find(connection, args.tenant), args.letter)
    if found is None:
        raise CannotStart("The tenant has no such letter: `nocontent mail list` has them.")
    line, stored = found
    rendered = await gather.compose(connection, stored, Links(console=processes.load().console_url))
    if rendered is None:
        raise CannotStart("The person, or what the letter is about, is no longer there.")
    print(f"To: {line.email}")
    _print(rendered, args.html)
    return 0


async def _bounced(connection: Connection, _args: argparse.Namespace) -> int:
    wanted = relay(processes.load())
    if wanted is None:
        raise CannotStart("NOCONTENT_SMTP_URL is not set, so no letter can have come back.")
    bounce = bounces.read(sys.stdin.buffer.read(bounces.BYTES_MAX + 1), wanted.domain)
    if bounce is None or not await outbox.note_bounce(connection, bounce.letter_id, bounce.reply_class):
        print("No letter that went out came back by this message.")
        return 1
    print(f"Letter {bounce.letter_id} came back: class {bounce.reply_class}.")
    return 0


def _preview(args: argparse.Namespace) -> int:
    _print(render(examples.facts(args.kind), examples.links(args.kind)), args.html)
    return 0


def _print(letter: Rendered, file: Path | None) -> None:
    print(f"Subject: {letter.subject}\n\n{letter.text}", end="")
    if file is None:
        return
    try:
        file.write_text(letter.html, "utf-8")
    except (OSError, ValueError):  # ValueError: a NUL in the name.
        raise CannotStart("The file for the HTML cannot be written.") from None
