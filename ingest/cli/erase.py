"""`erase`: count what an erasure would delete, record it, list erasures, and wait for one; the job does the rest."""

import argparse
import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from ingest.cli import erasure_status, replay
from ingest.cli.acts import Acts, operator
from ingest.cli.arguments import Subparsers
from ingest.cli.erasure_subjects import SUBJECTS
from ingest.errors import CannotStart
from ingest.rights.erasing.subjects import Finder, Found, NothingFound, Refused
from ingest.store import tenants
from ingest.store.connections import Connection
from ingest.store.errors import UnknownTenant
from ingest.store.rights import erasures
from ingest.store.rights.errors import SubjectChanged

NOTHING_FOUND = 3  # The exit status if there is nothing to erase.
_ADVICE = "; see docs/roles.md."
_EXAMPLES = """\
examples:
  nocontent erase range acme --from 2026-11-01 --before 2026-11-02        count, and delete nothing
  nocontent erase range acme --from 2026-11-01 --before 2026-11-02 --yes  record it
  nocontent erase wait 0195f2c4-7d3a-7b10-8c55-6a1e2d3c4b5a               follow it

exit status: 0 counted, recorded or finished; 1 not finished yet; 2 refused; 3 nothing was found
"""


class Connections(NamedTuple):
    """One that records, and one that counts; each as its own role."""

    control: Connection
    eraser: Connection


_Act = Callable[[Connections, argparse.Namespace], Awaitable[int]]


def add(commands: "Subparsers[argparse.ArgumentParser]") -> None:
    """Declare the commands."""
    says = "erase a tenant or a part of its data, with a receipt; without --yes nothing is deleted"
    form = argparse.RawDescriptionHelpFormatter
    parser = commands.add_parser("erase", help=says, description=says, epilog=_EXAMPLES, formatter_class=form)
    family = parser.add_subparsers(metavar="ACT", required=True)
    for name, subject in SUBJECTS.items():
        command = _declare(family, name, _erase, subject.says)
        command.add_argument("tenant")
        subject.declare(command)
        command.add_argument("--yes", action="store_true", help="record it; without this, only count")
        command.set_defaults(subject=subject)
    _declare(family, "list", _of_status(erasure_status.list_all), "list erasures, the newest first")
    says = "print the step that an erasure has reached, and its counts by table"
    show = _declare(family, "show", _of_status(erasure_status.show), says)
    says = "wait until an erasure is finished; exit status 1 if it takes too long"
    wait = _declare(family, "wait", _of_status(erasure_status.wait), says)
    for command in (show, wait):
        command.add_argument("erasure", type=erasure_status.erasure_id, help="its id, as `erase list` prints it")
    replay.add(Acts(parser, family, _ADVICE))
    wait.add_argument("--seconds", type=float, default=86_400.0, help="how long to wait (default: a day)")


def _declare(family: "Subparsers[argparse.ArgumentParser]", name: str, act: _Act, says: str) -> argparse.ArgumentParser:
    command = family.add_parser(name, help=says, description=says)
    command.set_defaults(run=lambda args: asyncio.run(_run(act, args)))
    return command


def _of_status(act: Callable[[Connection, argparse.Namespace], Awaitable[int]]) -> _Act:
    async def run(opened: Connections, args: argparse.Namespace) -> int:
        return await act(opened.eraser, args)

    return run


async def _run(act: _Act, args: argparse.Namespace) -> int:
    async with operator("nocontent_control", _ADVICE) as control, operator("nocontent_eraser", _ADVICE) as eraser:
        try:
            return await act(Connections(control, eraser), args)
        except Refused as fault:
            raise CannotStart(str(fault)) from None
        except (NothingFound, UnknownTenant):
            print("nothing was found, and nothing was recorded (erase.nothing-found)")
            return NOTHING_FOUND


async def _erase(opened: Connections, args: argparse.Namespace) -> int:
    finder = Finder(await tenants.find(opened.control, args.tenant), opened.control, opened.eraser)
    found: Found = await args.subject.find(finder, args)
    erasure_status.print_counts(await finder.counted(found))
    for note in found.notes:
        print(note)
    if not args.yes:
        print("a dry run: nothing was recorded and nothing deleted; with --yes it is")
        return 0
    try:
        recorded = await erasures.record(opened.control, found.subject, found.event_ids)
    except SubjectChanged:
        raise Refused("erase.already-recorded") from None
    print(f"recorded: erasure {recorded.erasure_id}")
    print(f"a process with the job `erase` carries it out: nocontent erase wait {recorded.erasure_id}")
    return 0
