"""Shows how far erasures are."""

import argparse
import asyncio
import sys
import time
from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from tqdm import tqdm

from ingest.errors import CannotStart
from ingest.store.connections import Connection
from ingest.store.rights import counting, erasures
from ingest.store.rights.erasures import STEPS, Erasure

_LIST_MAX = 100
_LOOK_S = 1.0


def erasure_id(text: str) -> UUID:
    """Parse an id; argparse turns a ValueError into a usage error."""
    return UUID(text)


def print_counts(counts: Mapping[str, int]) -> None:
    """Print rows by table, those with rows only."""
    width = max(len(table) for table in counts)
    for table, rows in counts.items():
        if rows:
            print(f"{table:{width}} {rows:>15,} rows")


async def list_all(connection: Connection, _args: argparse.Namespace) -> int:
    """Print the last erasures."""
    found = await erasures.latest(connection, _LIST_MAX)
    for each in found:
        print(
            f"{each.erasure_id}  tenant {each.subject.tenant_id}  {each.subject.scope:6}  {each.step:9}"
            f" since {_at(each.step_at)}"
        )
    if not found:
        print("no erasure was recorded")
    return 0


async def show(connection: Connection, args: argparse.Namespace) -> int:
    """Print an erasure."""
    found = await _find(connection, args.erasure)
    print(f"erasure {found.erasure_id} of tenant {found.subject.tenant_id}: {found.subject.scope}")
    print(f"recorded at {_at(found.requested_at)}; {found.step} since {_at(found.step_at)}")
    for count in await erasures.counts(connection, found):
        print(f"{count.table:20} {count.erased:>15,} erased {count.reduced:>15,} reduced {count.kept:>15,} kept")
    if found.has_reached("vacuumed") and found.vacuumed_at is None:
        print("the space of the rows was still taken an hour later: VACUUM frees it when no old transaction is left")
    return 0


async def wait(connection: Connection, args: argparse.Namespace) -> int:
    """Show the progress of an erasure until it is finished."""
    until = time.monotonic() + args.seconds
    found = await _find(connection, args.erasure)
    done = await _erased(connection, found)
    ids = await erasures.event_ids(connection, found) if found.subject.scope == "events" else ()
    total = done if found.has_reached("erased") else done + await counting.count_events(connection, found.subject, ids)
    with tqdm(total=total, initial=done, unit="row", desc=found.step, disable=not sys.stderr.isatty()) as bar:
        while found.step != "finished" and time.monotonic() < until:
            await asyncio.sleep(min(_LOOK_S, max(0.0, until - time.monotonic())))
            found = await _find(connection, args.erasure)
            bar.set_description(f"{found.step} ({STEPS.index(found.step)} of {len(STEPS) - 1})")
            bar.update(await _erased(connection, found) - bar.n)
    if found.step != "finished":
        print(f"not finished: {found.step} since {_at(found.step_at)} (docs/runbooks.md, Erasure overdue)")
        return 1
    return await show(connection, args)


async def _erased(connection: Connection, found: Erasure) -> int:
    return sum(count.erased for count in await erasures.counts(connection, found) if count.table == "events")


async def _find(connection: Connection, wanted: UUID) -> Erasure:
    found = await erasures.find(connection, wanted)
    if found is None:
        raise CannotStart("no erasure has that id: see `nocontent erase list` (erase.unknown).")
    return found


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
