"""`invoice`: drafts, issued documents, and the acts that issue them."""

import argparse
import json

import msgspec

from ingest.cli import acts, payments
from ingest.cli.arguments import Subparsers
from ingest.cli.plan import month
from ingest.errors import CannotStart
from ingest.knowledge.billing import LINE_WORDS, DocumentKind, Invoice, Line, LineKind, Period, document_name
from ingest.store import tenants
from ingest.store.billing import accounts, invoices
from ingest.store.connections import Connection
from ingest.usage.billing import close, lines
from ingest.usage.billing.close import Draft
from ingest.usage.rendering.sheet import money

_ADVICE = "; see docs/billing.md."
_NUMBER_HELP = "such as NC-000042"


def add(commands: "Subparsers[argparse.ArgumentParser]") -> None:
    """Declare the commands."""
    family = acts.family(commands, "invoice", "drafts, invoices and credit notes", _ADVICE)._replace(
        role="nocontent_biller"
    )
    draft = family.add("draft", _draft, "print what a month comes to so far; nothing is stored")
    draft.add_argument("tenant")
    draft.add_argument(
        "--period", type=month, metavar="YYYY-MM", help="a month without an invoice (default: the current)"
    )
    listing = family.add("list", _list, "list documents, without their lines")
    listing.add_argument("tenant", nargs="?")
    show = family.add("show", _show, "print a document with its lines")
    finalize = family.add("finalize", _finalize, "issue what is due: months that ended more than 72 hours ago")
    finalize.add_argument("tenant", nargs="?")
    finalize.add_argument("--all", action="store_true", help="of all tenants")
    credit = family.add("credit", _credit, "issue a credit note that mirrors an invoice, which is void then")
    credit.add_argument(
        "--waive", action="store_true", help="for good (default: the next invoice charges what is right)"
    )
    correct = family.add(
        "correct", _correct, "issue a credit note for what was billed too much, before the next invoice"
    )
    correct.add_argument("tenant")
    payments.add(family)
    for command in (show, credit):
        command.add_argument("number", help=_NUMBER_HELP)
    for command in (draft, listing, show, finalize, credit, correct):
        command.add_argument("--json", action="store_true")


async def _draft(connection: Connection, args: argparse.Namespace) -> int:
    found = await close.draft(connection, await tenants.find(connection, args.tenant), args.period)
    if args.json:
        print(json.dumps(_plain_draft(found)))
        return 0
    for kind, charged in found.documents:
        print(f"draft {_kind(kind)} of {found.period.month:%Y-%m}, {_span(found.period)}")
        _print_lines(charged, found.currency)
    return 0


async def _list(connection: Connection, args: argparse.Namespace) -> int:
    tenant = await tenants.find(connection, args.tenant) if args.tenant else None
    after = ("", 0)
    found: list[Invoice] = []
    while page := await invoices.listed(connection, tenant, after):
        found += page
        after = page[-1].issuer, page[-1].number
    if args.json:
        print(json.dumps([_plain(each) for each in found]))
        return 0
    for each in found:
        print(
            f"{each.name:18} {each.tenant_id:6} {_kind(each.kind):12} {each.period.month:%Y-%m} {_state(each):18}"
            f" {money(each.total_cents, each.currency):>18}"
        )
    return 0


async def _show(connection: Connection, args: argparse.Namespace) -> int:
    found = await payments.find(connection, args.number)
    stands = lines.digest(await accounts.quarters(connection, found.tenant_id, found.period)) == found.usage_digest
    if args.json:
        print(json.dumps(_plain(found) | {"usage_unchanged": stands}))
        return 0
    print(f"{found.name}  {_kind(found.kind)} of {found.period.month:%Y-%m}, {_span(found.period)}")
    print(f"{_state(found)}; issued {found.finalized_at:%Y-%m-%d %H:%M} UTC")
    if found.credits is not None:
        print(f"mirrors {document_name(found.issuer, found.credits)}{', waived' if found.waived else ''}")
    print(
        f"usage {found.usage_digest.hex()}, {'unchanged' if stands else 'changed since: a later document corrects it'}"
    )
    _print_lines(found.lines, found.currency)
    return 0


async def _finalize(connection: Connection, args: argparse.Namespace) -> int:
    if bool(args.tenant) == args.all:
        raise CannotStart("Name a tenant, or all of them by --all.")
    if args.all:
        closed = await close.close(connection)
    else:
        tenant = await tenants.find(connection, args.tenant)
        closed = await close.close_at(connection, await accounts.now(connection), [tenant])
    if args.json:
        print(json.dumps(msgspec.to_builtins(closed)))
        return 0
    for name in closed.documents:
        print(name)
    if closed.waiting:
        print(f"{closed.waiting} wait until their usage is summed")
    if not closed.is_complete:
        print("more are due: run this again")
    return 0


async def _credit(connection: Connection, args: argparse.Namespace) -> int:
    found = await payments.find(connection, args.number)
    try:
        number = await invoices.credit(connection, found, waived=args.waive)
    except invoices.NotCreditable:
        raise CannotStart("Only an invoice that is not void can be credited.") from None
    _print_name(document_name(found.issuer, number), args)
    return 0


async def _correct(connection: Connection, args: argparse.Namespace) -> int:
    name = await close.correct(connection, await tenants.find(connection, args.tenant))
    if name is None:
        raise CannotStart("Nothing was billed too much: what is missing is on the next invoice.")
    _print_name(name, args)
    return 0


def _print_name(name: str, args: argparse.Namespace) -> None:
    print(json.dumps({"number": name}) if args.json else name)


def _print_lines(charged: tuple[Line, ...], currency: str) -> None:
    for line in charged:
        unit = ", nano-USD" if line.kind is LineKind.SAVINGS else ""
        said = f"{'correction: ' if line.is_correction else ''}{LINE_WORDS[line.kind].lower()}{unit}"
        print(f"  {line.month:%Y-%m}  {said:40} {line.quantity:>24,} {money(line.cents, currency):>20}")
    print(f"  {'total':50} {money(lines.total(charged), currency):>44}")


def _kind(kind: DocumentKind) -> str:
    return kind.name.lower().replace("_", " ")


def _state(invoice: Invoice) -> str:
    return invoice.state.name.lower()


def _span(period: Period) -> str:
    return f"{period.start:%Y-%m-%dT%H:%MZ} to {period.end:%Y-%m-%dT%H:%MZ}"


def _plain(invoice: Invoice) -> dict[str, object]:
    plain: dict[str, object] = msgspec.to_builtins(invoice)
    return plain | {
        "number": invoice.name,
        "kind": invoice.kind.name.lower(),
        "state": invoice.state.name.lower(),
        "usage_digest": invoice.usage_digest.hex(),
        "credits": None if invoice.credits is None else document_name(invoice.issuer, invoice.credits),
        "lines": [_plain_line(line) for line in invoice.lines],
    }


def _plain_draft(found: Draft) -> dict[str, object]:
    return {
        "period": msgspec.to_builtins(found.period),
        "currency": found.currency,
        "usage_digest": found.usage_digest.hex(),
        "documents": [
            {
                "kind": kind.name.lower(),
                "total_cents": lines.total(charged),
                "lines": [_plain_line(line) for line in charged],
            }
            for kind, charged in found.documents
        ],
    }


def _plain_line(line: Line) -> dict[str, object]:
    plain: dict[str, object] = msgspec.to_builtins(line)
    return plain | {"kind": line.kind.name.lower()}
