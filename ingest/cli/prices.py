"""`prices`: look at prices, and set what a tenant pays itself. Audited acts, which the sums of usage follow."""

import argparse
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TypeVar

from ingest.cli import acts, price_file
from ingest.cli.arguments import Subparsers
from ingest.errors import CannotStart
from ingest.pricing import rates
from ingest.pricing.overrides import PARTS, Fault, Offer, read_instant, read_rate, usd_per_mtok, worded
from ingest.pricing.rates import ALWAYS, ANY_SIZE, FOREVER, SIZE_MAX, UNKNOWN, PartRates, Rates, Span, Tokens
from ingest.store import tenants
from ingest.store.connections import Connection
from ingest.store.usage import prices
from ingest.store.usage.book import BOOK
from ingest.store.usage.prices import Place
from schema import limits
from schema.event import Kind

_ADVICE = "; see docs/prices.md."
_EXAMPLES = """\
Rates are in USD per million tokens. A tenant's own rates replace the shipped ones of a model altogether while they are
valid: a part without a rate is unknown, and events with tokens of it are unpriced. There are no discounts in percent:
write down the rates of a batch or fast mode, or negotiated ones, as they are.

examples:
  nocontent prices show acme anthropic claude-opus-4-5          what it costs, by the book and by the tenant's own rates
  nocontent prices set acme anthropic claude-opus-4-5 --input 4 --output 20 --cache-read 0.4 --from 2026-12-01
  nocontent prices end acme anthropic claude-opus-4-5 2027-01-01    from then on the book's rates apply
  nocontent prices remove acme anthropic claude-opus-4-5 --from 2026-12-01
  nocontent prices import acme rates.csv                        all of a file or nothing; see docs/prices.md
  nocontent prices check claude-opus-4-5 --input 1000 --output 200  what a usage costs, at each provider
  nocontent prices unpriced acme                                models without a price, and how many events they have
"""
_T = TypeVar("_T")


def add(commands: "Subparsers[argparse.ArgumentParser]") -> None:
    """Declare the commands."""
    says = "look at the price book, and set a tenant's own rates"
    family = acts.family(commands, "prices", says, _ADVICE, _EXAMPLES)
    show = family.add("show", _show, "print all rates of a model, the tenant's own and the book's")
    _add_model(show)
    family.add("list", _list, "list a tenant's own rates").add_argument("tenant")
    change = family.add("set", _set, "set a tenant's own rates of a model for a period, in USD per million tokens")
    _add_model(change)
    for part in PARTS:
        change.add_argument(f"--{part.replace('_', '-')}", type=_checked(read_rate), metavar="USD")
    change.add_argument("--from", dest="since", type=_checked(read_instant), default=ALWAYS, metavar="DAY")
    change.add_argument("--until", type=_checked(read_instant), default=FOREVER, metavar="DAY", help="before this day")
    end = family.add("end", _end, "end the period that is valid on a day, so that the book's rates apply from it on")
    _add_model(end)
    end.add_argument("day", type=_checked(read_instant), help="the first day without these rates")
    remove = family.add("remove", _remove, "remove a tenant's own rates as if they had never been")
    _add_model(remove)
    only = "only the period that starts then (default: all)"
    remove.add_argument("--from", dest="since", type=_checked(read_instant), metavar="DAY", help=only)
    load = family.add("import", _import, "add rates of a CSV file, all or none")
    load.add_argument("tenant")
    load.add_argument("file", help="with a line of names: provider,model,input,...; - for standard input")
    _add_check(family)
    reading = family._replace(role="nocontent_usage_reader")
    says = "list the models of a tenant's usage that have no price, or none for a part of it"
    reading.add("unpriced", _unpriced, says).add_argument("tenant")


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tenant")
    parser.add_argument("provider")
    parser.add_argument("model")


def _add_check(family: acts.Acts) -> None:
    check = family.add("check", _check, "print what a usage costs")
    check.add_argument("model")
    check.add_argument("--provider", help="(default: each that has a price)")
    check.add_argument("--tenant", help="whose own rates come first")
    check.add_argument("--at", type=_checked(read_instant), metavar="TIME", help="(default: now)")
    for part in PARTS:
        most = limits.OUTPUT_TOKENS_MAX if part == "output" else limits.INPUT_TOKENS_MAX
        check.add_argument(f"--{part.replace('_', '-')}", type=_tokens(most), default=0, metavar="TOKENS")


def _checked(read: Callable[[str], _T]) -> Callable[[str], _T]:
    """Return a reader whose fault argparse prints, which has no value in it."""

    def checked(text: str) -> _T:
        try:
            return read(text)
        except Fault as fault:
            raise argparse.ArgumentTypeError(str(fault)) from None

    return checked


def _tokens(most: int) -> Callable[[str], int]:
    def tokens(text: str) -> int:
        if not text.isascii() or not text.isdigit() or len(text) > len(str(most)) or int(text) > most:
            raise argparse.ArgumentTypeError(f"a whole number of tokens up to {most:,}")
        return int(text)

    return tokens


async def _place(connection: Connection, args: argparse.Namespace) -> Place:
    tenant = await tenants.find(connection, args.tenant)
    known = await prices.read_vocabularies(connection, tenant)
    return known.place(tenant, args.provider, args.model)


async def _show(connection: Connection, args: argparse.Namespace) -> int:
    place = await _place(connection, args)
    own = await prices.schedule(connection, place)
    shipped = await prices.schedule(connection, place._replace(tenant_id=BOOK))
    if not own and not shipped:
        print("no price: events of this model at this provider are unpriced")
        return 1
    for whose, found in (("own", own), ("book", shipped)):
        for line in _lines(found):
            print(f"{whose:5} {line}")
    print("rates in USD per million tokens; ? is unknown. Own rates replace the book's while they are valid.")
    return 0


async def _list(connection: Connection, args: argparse.Namespace) -> int:
    tenant = await tenants.find(connection, args.tenant)
    known = await prices.read_vocabularies(connection, tenant)
    rows = await prices.list_all(connection, tenant)
    for row in rows:
        provider, model = known.term(Kind.PROVIDER, row.provider), known.term(Kind.MODEL, row.model)
        print(f"{provider:20} {model:32} {next(_lines([row.rates]))}")
    print(f"{len({(row.provider, row.model, row.rates.span) for row in rows})} periods of this tenant's own rates")
    return 0


def _lines(found: list[Rates]) -> Iterator[str]:
    for each in found:
        said = " ".join(
            f"{part.replace('_', '-')} {usd_per_mtok(rate)}" for part, rate in zip(PARTS, each.picousd, strict=True)
        )
        tier = "" if each.above == ANY_SIZE else f" above {each.above:,}"
        tier += "" if each.up_to == SIZE_MAX else f" up to {each.up_to:,}"
        yield f"from {worded(each.span)}:{tier and f'{tier} input tokens:'} {said}"


async def _set(connection: Connection, args: argparse.Namespace) -> int:
    picousd = PartRates(*(UNKNOWN if getattr(args, part) is None else getattr(args, part) for part in PARTS))
    if set(picousd) == {UNKNOWN}:
        raise CannotStart("At least one rate is needed, such as --input 3 --output 15.")
    place = await _place(connection, args)
    await prices.add(connection, "prices.set", {place: [Offer(args.since, args.until, ANY_SIZE, picousd)]})
    print(next(_lines([Rates(Span(args.since, args.until), ANY_SIZE, SIZE_MAX, picousd)])))
    _say_followed()
    return 0


async def _end(connection: Connection, args: argparse.Namespace) -> int:
    ended = await prices.end(connection, await _place(connection, args), args.day)
    if ended is None:
        raise CannotStart(
            "No own rates of this model start before that day and end after it: see `nocontent prices show`."
        )
    print(f"the period from {worded(ended)} ends {args.day:%Y-%m-%d}")
    _say_followed()
    return 0


async def _remove(connection: Connection, args: argparse.Namespace) -> int:
    gone = await prices.remove(connection, await _place(connection, args), args.since)
    if not gone:
        raise CannotStart("No such own rates of this model: see `nocontent prices show`.")
    for span in gone:
        print(f"removed: from {worded(span)}")
    _say_followed()
    return 0


async def _import(connection: Connection, args: argparse.Namespace) -> int:
    tenant = await tenants.find(connection, args.tenant)
    offers = price_file.read(args.file)
    known = await prices.read_vocabularies(connection, tenant)
    wanted: dict[Place, list[Offer]] = {}
    for line, given in offers.items():
        try:
            place = known.place(tenant, given.provider, given.model)
        except CannotStart as refused:
            raise CannotStart(f"Line {line}: {refused}") from None
        wanted.setdefault(place, []).append(given.offer)
    periods = await prices.add(connection, "prices.import", wanted)
    print(f"{periods} periods of {len(wanted)} models added")
    _say_followed()
    return 0


async def _check(connection: Connection, args: argparse.Namespace) -> int:
    tenant = BOOK if args.tenant is None else await tenants.find(connection, args.tenant)
    known = await prices.read_vocabularies(connection, tenant)
    model = known.find(Kind.MODEL, args.model)
    at = args.at or datetime.now(UTC)
    tokens = Tokens(*(getattr(args, part) for part in PARTS))
    asked = [known.find(Kind.PROVIDER, args.provider)] if args.provider else None
    found = 0
    for provider in asked or await prices.sellers(connection, tenant, model):
        places = [Place(owner, provider, model) for owner in ([BOOK] if tenant == BOOK else [tenant, BOOK])]
        schedules = [await prices.schedule(connection, place) for place in places]
        cost = rates.price(schedules, at, tokens)
        found += cost is not None
        said = "unpriced" if cost is None else f"{cost / 10**9:.9f} USD"
        print(f"{known.term(Kind.PROVIDER, provider):24} {said}")
    if not found:
        print("no price for this usage", file=sys.stderr)
    return 0 if found else 1


async def _unpriced(connection: Connection, args: argparse.Namespace) -> int:
    tenant = await tenants.find(connection, args.tenant)
    known = await prices.read_vocabularies(connection, tenant)
    found = await prices.unpriced(connection, tenant)
    for row in found:
        provider, model = known.term(Kind.PROVIDER, row.provider), known.term(Kind.MODEL, row.model)
        print(f"{provider:20} {model:40} {row.unpriced:12,} unpriced {row.unchecked:12,} with a cost of their own")
    print(f"{len(found)} models without a price, or for a part of their usage; see docs/prices.md#unpriced")
    return 0


def _say_followed() -> None:
    print("the sums of usage follow within a minute, if jobs run", file=sys.stderr)
