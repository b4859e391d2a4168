"""`annotate`: say what is wrong with events, so that no sum has them; a dry run, unless --yes is given."""

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from tqdm import tqdm

from ingest.cli import acts
from ingest.cli.arguments import Subparsers
from ingest.errors import CannotStart
from ingest.store import tenants
from ingest.store.connections import Connection
from ingest.store.rights import annotations
from ingest.store.rights.annotations import Found, Money, Reason, Selection

_WORDS = {reason.word: reason for reason in Reason}
_NANO = 1_000_000_000
_EXAMPLES = """\
examples:
  nocontent annotate --tenant acme --reason test-traffic --from 2026-11-02 --before 2026-11-03 --tag team=load-test
  nocontent annotate --tenant acme --reason wrong-cost --event 019aab12-7c3e-7cc3-98c4-dc0c0c07398f --yes
  nocontent annotate --tenant acme --remove --from 2026-11-02 --before 2026-11-03 --yes
  nocontent annotate --tenant acme --list
"""
_ADVICE = "; see docs/corrections.md."


def add(commands: "Subparsers[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    says = "say what is wrong with events: they stay rows, and leave all sums and the next invoice"
    form = argparse.RawDescriptionHelpFormatter
    command = commands.add_parser("annotate", help=says, description=says, epilog=_EXAMPLES, formatter_class=form)
    command.add_argument("--tenant", required=True)
    act = command.add_mutually_exclusive_group(required=True)
    act.add_argument("--reason", choices=[*_WORDS], help="what is wrong; replaces another reason")
    act.add_argument("--remove", action="store_true", help="remove annotations: the sums have the events again")
    act.add_argument("--list", action="store_true", help="print annotated events, of a range or all")
    command.add_argument("--event", nargs="+", type=_id, default=[], metavar="ID", help="up to 10,000")
    command.add_argument("--from", dest="since", type=_time, metavar="TIME", help="a day or a time, of UTC by default")
    command.add_argument("--before", type=_time, metavar="TIME", help="the end, not included; up to a million events")
    command.add_argument("--tag", metavar="KEY=VALUE", help="in that range, only events with this tag")
    command.add_argument("--yes", action="store_true", help="do it; without, only what it would change is printed")
    command.set_defaults(run=lambda args: asyncio.run(_run(args)))


class _Sides(NamedTuple):
    """Two connections: one that reads events, and one that acts."""

    reader: Connection
    control: Connection
    tenant_id: int


class _Sum(NamedTuple):
    """Events that were found, those with an annotation, those that an act changed, and what leaves the sums."""

    events: int = 0
    annotated: int = 0
    changed: int = 0
    nanousd: int = 0
    unpriced: int = 0


async def _run(args: argparse.Namespace) -> int:
    async with (
        acts.operator("nocontent_control", _ADVICE) as control,
        acts.operator("nocontent_analyst", _ADVICE) as reader,
    ):
        sides = _Sides(reader, control, await tenants.find(control, args.tenant))
        return await (_list if args.list else _change)(sides, args)


async def _list(sides: _Sides, args: argparse.Namespace) -> int:
    if args.event or args.tag:
        raise CannotStart("--list takes a range, and neither events nor a tag.")
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    wanted = Selection(sides.tenant_id, args.since or first, args.before or last)
    async for page in annotations.annotated(sides.reader, wanted):
        for event in page:
            assert event.reason is not None
            print(f"{event.occurred_at:%Y-%m-%dT%H:%M:%S.%f}Z  {event.event_id}  {event.reason.word}")
    return 0


async def _change(sides: _Sides, args: argparse.Namespace) -> int:
    missing = 0
    if args.event:
        events = await _named(sides, args)
        missing = len(set(args.event)) - len(events)
        summed = await _each(sides, args, _once(events), len(events))
    else:
        wanted = await _selection(sides, args)
        total = await annotations.count(sides.reader, wanted)
        summed = await _each(sides, args, annotations.pages(sides.reader, wanted), total)
    if missing:
        print(f"{missing:,} of these ids are not events of this tenant", file=sys.stderr)
    if not summed.events:
        print("nothing was found, and nothing was changed", file=sys.stderr)
        return 1
    print(_said(args, summed))
    return int(bool(missing))


async def _named(sides: _Sides, args: argparse.Namespace) -> list[Found]:
    if args.since or args.before or args.tag:
        raise CannotStart("Name events or a range, not both.")
    if len(set(args.event)) > annotations.IDS_MAX:
        raise CannotStart(f"Name up to {annotations.IDS_MAX:,} events at a time.")
    for first in filter(None, map(annotations.time_of, args.event)):
        await annotations.require_open(sides.control, sides.tenant_id, first)
    return await annotations.find(sides.reader, sides.tenant_id, args.event)


async def _once(events: list[Found]) -> AsyncIterator[list[Found]]:
    yield events


async def _selection(sides: _Sides, args: argparse.Namespace) -> Selection:
    if args.since is None or args.before is None:
        raise CannotStart("Name events by --event, or a range by --from and --before.")
    if args.since >= args.before:
        raise CannotStart("The range must begin before it ends.")
    await annotations.require_open(sides.control, sides.tenant_id, args.since)
    if args.tag is None:
        return Selection(sides.tenant_id, args.since, args.before)
    key, _, value = args.tag.partition("=")
    tag_id = await annotations.find_tag(sides.reader, sides.tenant_id, key, value)
    return Selection(sides.tenant_id, args.since, args.before, tag_id)


async def _each(sides: _Sides, args: argparse.Namespace, pages: AsyncIterator[list[Found]], total: int) -> _Sum:
    """Count, or change, page by page; each is a transaction, so what was done stays done if this is cut off."""
    summed = _Sum()
    with tqdm(total=total, delay=1, unit=" events", disable=not sys.stderr.isatty()) as bar:
        async for events in pages:
            worth = Money(0, 0) if args.remove else await annotations.money(sides.reader, sides.tenant_id, events)
            changed = await _act(sides, args, events)
            known = sum(event.reason is not None for event in events)
            added = _Sum(len(events), known, changed, worth.nanousd, worth.unpriced)
            summed = _Sum(*map(sum, zip(summed, added, strict=True)))
            bar.update(len(events))
    return summed


async def _act(sides: _Sides, args: argparse.Namespace, events: list[Found]) -> int:
    if not args.yes:
        return 0
    if args.remove:
        return await annotations.remove(sides.control, sides.tenant_id, events)
    return await annotations.annotate(sides.control, sides.tenant_id, events, _WORDS[args.reason])


def _said(args: argparse.Namespace, summed: _Sum) -> str:
    found = f"{summed.events:,} events, {summed.annotated:,} of them annotated"
    if args.remove:
        return f"{found}: {f'{summed.changed:,} annotations were removed' if args.yes else 'add --yes to remove that'}"
    fresh = summed.events - summed.annotated
    unpriced = f" ({summed.unpriced:,} have no price)" if summed.unpriced else ""
    if not args.yes:
        worth = f"{fresh:,} would leave the sums, and with them {summed.nanousd / _NANO:,.9f} USD{unpriced}"
        return f"{found}; {worth}; add --yes to do that"
    worth = f"{fresh:,} leave the sums, and with them {summed.nanousd / _NANO:,.9f} USD{unpriced}"
    return f"{found}; {summed.changed:,} annotations were written; {worth}, with the next round of `nocontent jobs`"


def _id(text: str) -> UUID:
    return UUID(text)  # By a name that the parser knows how to leave a value out of.


def _time(text: str) -> datetime:
    """Parse a day or a time; argparse turns a ValueError into a usage error."""
    found = datetime.fromisoformat(text)
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
