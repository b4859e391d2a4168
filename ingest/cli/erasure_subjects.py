"""Subjects of erasures as a person names them: each is found in the database before anything is recorded."""

import argparse
import sys
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from ingest.store import tenants
from ingest.store.connections import Connection
from ingest.store.rights import counting, erasures
from ingest.store.rights.erasures import EVENTS_MAX, Subject

# Ids of errors are for ever: other people's scripts look for them.
FAULTS: Mapping[str, str] = {
    "erase.already-recorded": "this tenant is being erased: see `nocontent erase list`",
    "erase.invoices-on-their-way": "invoices are being handed to the payment processor: wait, or see docs/payments.md",
    "erase.range-empty": "the end is not after the start",
    "erase.range-in-future": "the end is later than now, by PostgreSQL's clock: only what is past can be erased",
    "erase.bad-time": "a time is a day such as 2026-11-01, or has a zone: 2026-11-01T09:00:00Z",
    "erase.bad-tag": "a tag is written as KEY=VALUE",
    "erase.bad-id": "an id is a UUID",
    "erase.too-many-events": f"one erasure names up to {EVENTS_MAX:,} events",
    "erase.file-unreadable": "the file of ids cannot be read",
}
_MICROSECOND = timedelta(microseconds=1)
_BYTES_MAX = 40 * EVENTS_MAX + 1


class Refused(Exception):
    """The request is refused; its text names the fault and repeats no argument."""

    def __init__(self, fault: str) -> None:
        super().__init__(f"{FAULTS[fault]} ({fault}).")


class NothingFound(Exception):
    """There is nothing that the arguments name."""


class Found(NamedTuple):
    """A subject that is there, and what a person should know about its erasure."""

    subject: Subject
    event_ids: tuple[UUID, ...] = ()
    notes: tuple[str, ...] = ()


class SubjectCommand(NamedTuple):
    """A kind of subject: its description, its arguments, and how it is found."""

    says: str
    declare: Callable[[argparse.ArgumentParser], None]
    find: Callable[[Connection, Connection, argparse.Namespace], Awaitable[Found]]


def _no_more(_command: argparse.ArgumentParser) -> None:
    pass


async def _tenant(control: Connection, eraser: Connection, args: argparse.Namespace) -> Found:
    tenant_id = await tenants.find(control, args.tenant)
    if await counting.handing_over(eraser, tenant_id):
        raise Refused("erase.invoices-on-their-way")
    return Found(
        Subject(tenant_id, "tenant"),
        notes=(
            "with --yes its tokens are revoked at once; usage that is not invoiced yet will not be",
            "kept: issued invoices and their payments, audit lines without references, the erasure itself",
        ),
    )


def _declare_range(command: argparse.ArgumentParser) -> None:
    command.add_argument("--from", dest="since", required=True, metavar="TIME", help="a day, or a time with a zone")
    command.add_argument("--before", required=True, metavar="TIME", help="the end, not included; not later than now")


async def _range(control: Connection, _eraser: Connection, args: argparse.Namespace) -> Found:
    first, last = await _times(control, args.since, args.before)
    notes = ("sums of usage are made again; of days whose events are gone, sums go that lie within the range",)
    return Found(Subject(await tenants.find(control, args.tenant), "range", first, last), notes=notes)


def _declare_tag(command: argparse.ArgumentParser) -> None:
    command.add_argument("tag", metavar="KEY=VALUE")
    command.add_argument("--from", dest="since", metavar="TIME", help="(default: all until now, and the word as well)")
    command.add_argument("--before", metavar="TIME", help="the end, not included (default: now)")


async def _tag(control: Connection, _eraser: Connection, args: argparse.Namespace) -> Found:
    key, equals, value = args.tag.partition("=")
    if not equals:
        raise Refused("erase.bad-tag")
    tenant_id = await tenants.find(control, args.tenant)
    term_id = await erasures.tag_term(control, tenant_id, key, value)
    if term_id is None:
        raise NothingFound
    first, last = await _times(control, args.since, args.before)
    is_whole = args.since is None and args.before is None
    notes = () if not is_whole else ("its word is overwritten, so that older sums with its number are nobody's",)
    return Found(Subject(tenant_id, "tag", first, last, term_id=term_id), notes=notes)


def _declare_events(command: argparse.ArgumentParser) -> None:
    command.add_argument("event", nargs="*", metavar="ID")
    command.add_argument("--file", help="ids, one per line; - for standard input")


async def _events(control: Connection, eraser: Connection, args: argparse.Namespace) -> Found:
    wanted = {_uuid(text) for text in [*args.event, *(_lines(args.file) if args.file else [])]}
    if len(wanted) > EVENTS_MAX:
        raise Refused("erase.too-many-events")
    tenant_id = await tenants.find(control, args.tenant)
    stored = await counting.stored_events(eraser, tenant_id, sorted(wanted))
    if not stored:
        raise NothingFound
    first, last = await counting.times(eraser, stored)
    notes = () if len(stored) == len(wanted) else (f"{len(wanted) - len(stored):,} of the ids were not found",)
    return Found(Subject(tenant_id, "events", first, last), tuple(stored), notes)


def _declare_stream(command: argparse.ArgumentParser) -> None:
    command.add_argument("stream", metavar="ID", help="the id of the stream, as the proxy and docs/tables.md have it")


async def _stream(control: Connection, eraser: Connection, args: argparse.Namespace) -> Found:
    tenant_id, stream_id = await tenants.find(control, args.tenant), _uuid(args.stream)
    sequence = await counting.last_sequence(eraser, tenant_id, stream_id)
    if sequence is None:
        raise NothingFound
    notes = ("its events stay: a row does not know its stream. Erase them by range, tag or ids",)
    return Found(Subject(tenant_id, "stream", stream_id=stream_id, sequence=sequence), notes=notes)


async def _times(control: Connection, since: str | None, before: str | None) -> tuple[datetime | None, datetime]:
    """Return the first and last time of a range, which has to be past."""
    now = await control.fetchval("SELECT clock_timestamp()")
    first = None if since is None else _time(since)
    last = now - _MICROSECOND if before is None else _time(before) - _MICROSECOND
    if last >= now:
        raise Refused("erase.range-in-future")
    if first is None and before is not None:
        first = datetime(1970, 1, 1, tzinfo=UTC)  # A range, so the word stays.
    if first is not None and first > last:
        raise Refused("erase.range-empty")
    return first, last


def _time(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Refused("erase.bad-time") from None
    if moment.tzinfo is None:
        if "T" in text or " " in text:
            raise Refused("erase.bad-time")
        return moment.replace(tzinfo=UTC)
    return moment


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Refused("erase.bad-id") from None


def _lines(path: str) -> list[str]:
    try:
        raw = sys.stdin.read(_BYTES_MAX) if path == "-" else Path(path).read_text("ascii")
    except (OSError, ValueError):
        raise Refused("erase.file-unreadable") from None
    return raw.split()


SUBJECTS: Mapping[str, SubjectCommand] = {
    "tenant": SubjectCommand("everything of a tenant", _no_more, _tenant),
    "range": SubjectCommand("the events of a range of time", _declare_range, _range),
    "tag": SubjectCommand("the events with a tag's value, and the word", _declare_tag, _tag),
    "events": SubjectCommand("single events, by their ids", _declare_events, _events),
    "stream": SubjectCommand("the lines of the ledger of a stream", _declare_stream, _stream),
}
