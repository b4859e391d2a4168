"""Subjects of erasures as a command line names them; `ingest.rights.erasing.subjects` finds them."""

import argparse
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from ingest.rights.erasing.subjects import Finder, Found, Refused
from ingest.store.rights.erasures import EVENTS_MAX

_BYTES_MAX = 40 * EVENTS_MAX + 1


class SubjectCommand(NamedTuple):
    """A kind of subject: its description, its arguments, and how it is found."""

    says: str
    declare: Callable[[argparse.ArgumentParser], None]
    find: Callable[[Finder, argparse.Namespace], Awaitable[Found]]


def _no_more(_command: argparse.ArgumentParser) -> None:
    pass


def _declare_range(command: argparse.ArgumentParser) -> None:
    command.add_argument("--from", dest="since", required=True, metavar="TIME", help="a day, or a time with a zone")
    command.add_argument("--before", required=True, metavar="TIME", help="the end, not included; not later than now")


def _declare_tag(command: argparse.ArgumentParser) -> None:
    command.add_argument("tag", metavar="KEY=VALUE")
    command.add_argument("--from", dest="since", metavar="TIME", help="(default: all until now, and the word as well)")
    command.add_argument("--before", metavar="TIME", help="the end, not included (default: now)")


def _declare_events(command: argparse.ArgumentParser) -> None:
    command.add_argument("event", nargs="*", metavar="ID")
    command.add_argument("--file", help="ids, one per line; - for standard input")


def _declare_stream(command: argparse.ArgumentParser) -> None:
    command.add_argument("stream", metavar="ID", help="the id of the stream, as the proxy and docs/tables.md have it")


def _lines(path: str) -> list[str]:
    try:
        raw = sys.stdin.read(_BYTES_MAX) if path == "-" else Path(path).read_text("ascii")
    except (OSError, ValueError):
        raise Refused("erase.file-unreadable") from None
    return raw.split()


SUBJECTS: Mapping[str, SubjectCommand] = {
    "tenant": SubjectCommand("everything of a tenant", _no_more, lambda finder, _args: finder.tenant()),
    "range": SubjectCommand(
        "the events of a range of time", _declare_range, lambda finder, args: finder.range(args.since, args.before)
    ),
    "tag": SubjectCommand(
        "the events with a tag's value, and the word",
        _declare_tag,
        lambda finder, args: finder.tag(args.tag, args.since, args.before),
    ),
    "events": SubjectCommand(
        "single events, by their ids",
        _declare_events,
        lambda finder, args: finder.events([*args.event, *(_lines(args.file) if args.file else [])]),
    ),
    "stream": SubjectCommand(
        "the lines of the ledger of a stream", _declare_stream, lambda finder, args: finder.stream(args.stream)
    ),
}
