"""Arrivals: the proxies and streams that send, what is missing or was lost, versions and clocks."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from starlette.responses import Response

from ingest.accounts.roles import Role
from ingest.console import days
from ingest.console.page import Page
from ingest.console.tables import Cell, Column, Link, Table
from ingest.console.visit import Visit
from ingest.reports import advice
from ingest.serving.errors import NotFound
from ingest.store import traffic_reads
from ingest.store.traffic_reads import Gap, Source, Stream

_ROLES: frozenset[Role] = frozenset(("owner", "admin", "analyst", "auditor"))
_SILENT = timedelta(hours=1)
_AHEAD_MS = -1_000  # A clock this far ahead is worth a word; less is the network's and ours.
_BEHIND_MS = 300_000
_SOURCES = (
    Column("token", "Token", "code"),
    Column("last_at", "Last seen", "when"),
    Column("state", "State"),
    Column("requests", "Requests", "count"),
    Column("refused", "Refused", "count"),
    Column("events", "Events", "count"),
    Column("doors", "Door"),
    Column("reporter", "Reporter"),
    Column("clock", "Clock"),
)
_STREAMS = (
    Column("stream", "Stream"),
    Column("last_at", "Last seen", "when"),
    Column("batches", "Batches", "count"),
    Column("accepted", "Stored", "count"),
    Column("duplicates", "Duplicates", "count"),
    Column("missing", "Missing batches", "count"),
    Column("lost", "Lost events", "count"),
)
_LOSSES = (
    Column("stream", "Stream"),
    Column("queue_full", "Queue full", "count"),
    Column("retries_exhausted", "Retries exhausted", "count"),
    Column("refused", "Refused", "count"),
    Column("shutdown", "Ended before", "count"),
)
_GAPS = (
    Column("before", "Next one came", "when"),
    Column("first", "First missing", "count"),
    Column("last", "Last missing", "count"),
    Column("batches", "Batches", "count"),
)


async def show(visit: Visit) -> Response:
    """Show tokens and streams, the last one to send first."""
    span = days.of(visit.query)
    async with visit.read() as connection:
        sources = await traffic_reads.sources(connection, span.since)
        ledger = await traffic_reads.streams(connection, span.start)
    return visit.render(
        "arrivals.html",
        span=span,
        cut_at=ledger.cut_at,
        streams_max=traffic_reads.STREAMS_MAX if ledger.has_more else None,
        accepted=sum(stream.accepted for stream in ledger.streams),
        duplicates=sum(stream.duplicates for stream in ledger.streams),
        missing=sum(stream.missing for stream in ledger.streams),
        lost=sum(sum(stream.losses) for stream in ledger.streams),
        coarsened=sum(stream.coarsened for stream in ledger.streams),
        sources=Table("tokens", "Proxies, by their tokens", _SOURCES, [_source(each) for each in sources]),
        streams=Table("streams", "Streams", _STREAMS, [_stream(each) for each in ledger.streams]),
        losses=_losses(ledger.streams),
    )


async def show_stream(visit: Visit) -> Response:
    """Show what is missing of a stream."""
    stream_id = visit.path_id("stream")
    async with visit.read() as connection:
        known = await traffic_reads.stream(connection, stream_id)
        if known is None:
            raise NotFound
        found = await traffic_reads.gaps(connection, stream_id)
    return visit.render("stream.html", stream=known, gaps=_gaps(found), losses=_losses([known]))


def _source(source: Source) -> tuple[Cell, ...]:
    return (
        source.token_id,
        source.last_at,
        _state(source),
        source.requests,
        source.refused,
        source.events,
        ", ".join(advice.DOORS[door] for door in source.doors),
        version(source.version),
        clock(source.lag_ms),
    )


def _state(source: Source) -> str:
    if not source.is_valid:
        return "token no longer works"
    return "silent" if datetime.now(UTC) - source.last_at > _SILENT else "sends"


def version(number: int) -> str:
    """Write the version of our reporter, or that it is another client."""
    if number == 0:
        return "another client"
    return f"{number // 1_000_000}.{number // 1_000 % 1_000}.{number % 1_000}"


def clock(lag_ms: int | None) -> str | None:
    """Say what the least delay of a day shows of a clock; None if no event came."""
    if lag_ms is None:
        return None
    if lag_ms < _AHEAD_MS:
        return f"ahead by {_span(-lag_ms)} or more"
    if lag_ms > _BEHIND_MS:
        return f"behind, or events wait {_span(lag_ms)}"
    return "agrees"


def _span(ms: int) -> str:
    seconds = ms // 1_000
    if seconds < 120:  # noqa: PLR2004 (two minutes)
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7_200 else f"{seconds // 3_600} h"  # noqa: PLR2004 (two hours)


def _stream(stream: Stream) -> tuple[Cell, ...]:
    return (
        _name(stream),
        stream.last_at,
        stream.batches,
        stream.accepted,
        stream.duplicates,
        None if stream.stream_id is None else stream.missing,
        sum(stream.losses),
    )


def _name(stream: Stream) -> Cell:
    if stream.stream_id is None:
        return "without a stream"
    return Link(str(stream.stream_id), f"/arrivals/{stream.stream_id}")


def _losses(streams: Sequence[Stream]) -> Table:
    rows = [(_name(stream), *stream.losses) for stream in streams if any(stream.losses)]
    return Table("losses", "Lost events, as the proxies say", _LOSSES, rows, "No proxy reported a loss.")


def _gaps(found: Sequence[Gap]) -> Table:
    rows = [(gap.before, gap.first, gap.last, gap.last - gap.first + 1) for gap in found]
    return Table(
        "gaps",
        f"The last {traffic_reads.GAPS_MAX} gaps" if len(rows) == traffic_reads.GAPS_MAX else "Gaps",
        _GAPS,
        rows,
        "No batch is missing between the first and the last one.",
    )


PAGES = (
    Page(path="/arrivals", name="arrivals", title="Arrivals", roles=_ROLES, handler=show, nav="Arrivals"),
    Page(
        path="/arrivals/{stream}",
        name="stream",
        title="Stream",
        roles=_ROLES,
        handler=show_stream,
        example={"stream": "019aab12-7c3e-7cc3-98c4-dc0c0c07398f"},
    ),
)
