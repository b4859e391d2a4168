"""`usage`: what a tenant used, what it cost and saved, from rollups, as a table, JSON or CSV."""

import argparse
import asyncio
import csv
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import msgspec
from tqdm import tqdm

from ingest.cli import acts
from ingest.cli.arguments import Subparsers
from ingest.errors import CannotStart, IngestError
from ingest.reports import cursor, query, summing
from ingest.reports.answers import Row, Usage
from ingest.reports.problems import FACES
from ingest.reports.query import LIMIT_MAX, Question
from ingest.store import read_connections, tenants, vocabulary
from ingest.store.connections import Connection
from ingest.store.usage.reads import Page

_BY = {
    "category": "task_category", "provider": "provider", "model": "routed_model", "requested": "requested_model",
    "status": "status",
}  # fmt: skip
_BY_HELP = f"{', '.join(_BY)} or tag:KEY; up to three (model is the one that requests were routed to)"
_NANO = 1_000_000_000
_SCALES = ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k"))


def add(commands: "Subparsers[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    says = "print what a tenant used, what it cost, and what it saved"
    command = commands.add_parser("usage", help=says, description=says)
    command.add_argument("tenant")
    command.add_argument("--since", metavar="TIME", help="a day, or an hour such as 2026-10-01T09:00:00Z")
    command.add_argument("--before", metavar="TIME", help="the end, not included (default: tomorrow)")
    command.add_argument("--by", action="append", default=[], metavar="DIMENSION", help=_BY_HELP)
    command.add_argument("--per", choices=["hour", "day", "month", "total"], default="total", help="(default: total)")
    form = command.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="as `GET /v1/usage` answers, in one document")
    form.add_argument("--csv", action="store_true", help="one line a row, with all figures")
    command.set_defaults(run=lambda args: asyncio.run(_usage(args)))


async def _usage(args: argparse.Namespace) -> int:
    role = read_connections.ROLE
    async with acts.operator(role, "; see docs/roles.md.") as connection, read_connections.patiently(connection):
        tenant = await tenants.find(connection, args.tenant)
        found = await _read(connection, tenant, await _question(connection, tenant, args))
    if args.json:
        print(msgspec.json.encode(found).decode())
    elif args.csv:
        csv.writer(sys.stdout, lineterminator="\n").writerows(_csv(found))
    else:
        print("\n".join(_table(found)))
    if found.pending_events:
        print(f"{found.pending_events} events are stored and not summed up yet", file=sys.stderr)
    return 0


async def _question(connection: Connection, tenant_id: int, args: argparse.Namespace) -> Question:
    keys: dict[str, int] = {}
    for each in args.by:
        key = each.removeprefix("tag:")
        key_id = await vocabulary.tag_key_id(connection, tenant_id, key) if key != each else None
        if key_id is not None:
            keys[key] = key_id
    given = {"granularity": args.per} | {
        name: text if "T" in text.upper() else f"{text}T00:00:00Z"
        for name, text in (("since", args.since), ("before", args.before))
        if text is not None
    }
    if args.by:
        given["group_by"] = ",".join(_BY.get(each, each) for each in args.by)
    try:
        return query.question(given, keys, datetime.now(UTC))
    except IngestError as refused:
        raise CannotStart(f"{FACES[type(refused)].title}.") from None


async def _read(connection: Connection, tenant_id: int, asked: Question) -> Usage:
    """Read all pages, with a bar of the time that they cover."""
    rows: list[Row] = []
    page = Page(None, LIMIT_MAX)
    total_s = (asked.before - asked.since).total_seconds()
    with tqdm(
        total=total_s, delay=1, bar_format="{l_bar}{bar}| {remaining} left", disable=not sys.stderr.isatty()
    ) as bar:
        while True:
            found = await summing.answer(connection, tenant_id, asked, page)
            rows += found.rows
            if found.next is None:
                return msgspec.structs.replace(found, rows=rows)
            bar.update((found.rows[-1].at - asked.since).total_seconds() - bar.n)
            page = page._replace(after=cursor.read(asked, found.next))


def _table(found: Usage) -> Iterator[str]:
    """Return the lines of a table; savings are nothing without the share of events that they are about."""
    names = [_heading(name) for name in found.group_by]
    heads = ["from (UTC)", *names, "events", "tokens in", "out", "cost USD", "saved USD", "cover", "p95 ms"]
    cells = [heads, *([_at(row.at, found), *_group(row), *_figures(row)] for row in found.rows)]
    if len(found.rows) > 1:
        cells.append(["total", *[""] * len(names), *_total(found.rows)])
    widths = [max(len(row[place]) for row in cells) for place in range(len(heads))]
    for row in cells:
        first = "  ".join(cell.ljust(width) for cell, width in zip(row[: 1 + len(names)], widths, strict=False))
        rest = "  ".join(
            cell.rjust(width) for cell, width in zip(row[1 + len(names) :], widths[1 + len(names) :], strict=True)
        )
        yield f"{first}  {rest}".rstrip()
    yield f"as of {found.as_of:%Y-%m-%d %H:%M} UTC; cover: the events with a reported baseline"


def _heading(name: str) -> str:
    return next((short for short, long in _BY.items() if long == name), name)


def _at(at: datetime, found: Usage) -> str:
    return f"{at:%Y-%m-%d %H:%M}" if found.granularity in {"hour", "total"} else f"{at:%Y-%m-%d}"


def _group(row: Row) -> list[str]:
    return [term or "-" for term in row.group.values()]


def _figures(row: Row) -> list[str]:
    p95 = "-" if row.latency is None or row.latency.p95_ms is None else f"{row.latency.p95_ms:,.0f}"
    tokens = row.tokens
    used = tokens.input + tokens.cache_read + tokens.cache_write_5m + tokens.cache_write_1h
    return [*_sums(row.events, used, tokens.output, row.cost.total_nanousd, row.savings.total_nanousd),
            _share(row.savings.baseline_events, row.events), p95]  # fmt: skip


def _total(rows: list[Row]) -> list[str]:
    events = sum(row.events for row in rows)
    used = sum(
        row.tokens.input + row.tokens.cache_read + row.tokens.cache_write_5m + row.tokens.cache_write_1h for row in rows
    )
    output = sum(row.tokens.output for row in rows)
    cost = sum(row.cost.total_nanousd for row in rows)
    saved = sum(row.savings.total_nanousd for row in rows)
    return [
        *_sums(events, used, output, cost, saved),
        _share(sum(row.savings.baseline_events for row in rows), events),
        "",
    ]


def _sums(events: int, used: int, output: int, cost_nanousd: int, saved_nanousd: int) -> list[str]:
    return [f"{events:,}", _short(used), _short(output), _usd(cost_nanousd), _usd(saved_nanousd)]


def _usd(nanousd: int) -> str:
    """Format an amount for reading, half away from zero; `--json` and `--csv` have all of it."""
    cents = (abs(nanousd) * 200 + _NANO) // (2 * _NANO)
    return f"{'-' if nanousd < 0 and cents else ''}{cents // 100:,}.{cents % 100:02}"


def _short(count: int) -> str:
    unit, letter = next((each for each in _SCALES if count >= each[0]), (1, ""))
    return f"{count / unit:.1f} {letter}" if letter else str(count)


def _share(part: int, whole: int) -> str:
    return f"{100 * part // whole} %" if whole else "-"


def _csv(found: Usage) -> Iterator[list[object]]:
    for number, row in enumerate(found.rows):
        plain: dict[str, object] = msgspec.to_builtins(row)
        flat = dict(_flat(plain, ""))
        if not number:
            yield [*flat]
        yield [*flat.values()]


def _flat(value: Mapping[str, object], prefix: str) -> Iterator[tuple[str, object]]:
    for name, each in value.items():
        if isinstance(each, dict):
            yield from _flat(each, "" if name == "group" else f"{name}_")
        else:
            yield prefix + name, each
