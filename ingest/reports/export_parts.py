"""The parts of an export as pieces of bytes: a day as of a moment, block by block, or a table as it is."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing
from datetime import timedelta
from typing import NamedTuple

from ingest.reports import errors, export_answers, query
from ingest.reports.export_answers import ExportManifest
from ingest.reports.export_query import DayPart, Days, TablePart
from ingest.reports.streaming import Pieces
from ingest.rights.exporting import focus as focus_lines
from ingest.rights.exporting.focus import Account
from ingest.rights.exporting.writers import FORMATS, MEDIA_TYPES, Writer
from ingest.store.connections import Connection
from ingest.store.prefixes import Prefix
from ingest.store.rights import exporting, figures, focus, moments, standing
from ingest.store.rights.columns import Block
from ingest.store.rights.exporting import Names, Slice
from ingest.store.usage import reads

_BLOCK_ROWS_MAX = 8_192  # Of a stream: a block becomes columns on the loop, which batches wait for.
_REST_S_MAX = 0.25  # Between blocks, so that streams take at most half of a core.
_FIELDS = {"events": exporting.EVENT_FIELDS, "ledger": exporting.BATCH_FIELDS}
_Begin = Callable[[], AbstractAsyncContextManager[Connection]]


class Source(NamedTuple):
    """A tenant's data, as a caller may read it: its transactions each see one state.

    `block` begins a short one; `table` one that lasts until the sender has taken a table. A stream holds `turn`.
    """

    tenant_id: int
    prefix: Prefix
    turn: Callable[[], AbstractAsyncContextManager[None]]
    block: _Begin
    table: _Begin


def headers(name: str, form: str) -> dict[str, str]:
    """Return the headers of a part that is a file."""
    return {
        "Content-Type": MEDIA_TYPES[form],
        "Content-Disposition": f'attachment; filename="{name}"',  # By now of words and numbers of ours.
        "Cache-Control": "private, no-store",
    }


async def manifest(source: Source, asked: Days, data: tuple[str, ...]) -> ExportManifest:
    """Return the moment and the parts of an export."""
    wanted = Slice(source.tenant_id, *asked.times, prefix=source.prefix)
    async with source.block() as connection:
        await _require_moments(connection)
        moment = await moments.take(connection)
        facts = await figures.facts(connection, source.tenant_id, source.prefix)
        days = await figures.days(connection, wanted) if "events" in data else {}
    return export_answers.manifest(asked, data, moment, facts, days)


def day(source: Source, part: DayPart) -> Pieces:
    """Return the rows of a day as of a moment; raises FormatMissing."""
    return _day(source, part, FORMATS[part.format](_FIELDS[part.data]))


async def _day(source: Source, part: DayPart, writer: Writer) -> Pieces:
    times = Days(part.day, part.day + timedelta(days=1)).times
    wanted = Slice(source.tenant_id, *times, rows_max=_BLOCK_ROWS_MAX, prefix=source.prefix)
    async with source.turn():
        head, place = b"" if part.is_resumed else writer.head(), part.after
        words = await _words(source, part)
        while True:
            began = time.monotonic()
            async with source.block() as connection:
                block = await _next(_blocks(connection, wanted, part, words, place))
            if block is None:
                break
            place = block.place
            async for piece in _written(writer, block):
                yield head + piece
                head = b""
            await asyncio.sleep(min(time.monotonic() - began, _REST_S_MAX))
        yield head + await asyncio.to_thread(writer.end)


def _blocks(connection: Connection, wanted: Slice, part: DayPart, words: Names, after: str) -> AsyncIterator[Block]:
    if part.data == "events":
        return exporting.events(connection, wanted, part.moment, words, after)
    return exporting.batches(connection, wanted, part.moment, after)


async def _next(blocks: AsyncIterator[Block]) -> Block | None:
    """Return the first block, and read no more."""
    assert isinstance(blocks, AsyncGenerator)
    async with aclosing(blocks):
        return await anext(blocks, None)


async def _words(source: Source, part: DayPart) -> Names:
    """Return the words of the rows; raises InvalidMoment."""
    async with source.block() as connection:
        await _require_moments(connection)
        part.moment.require_known(await moments.latest(connection))
        return await exporting.names(connection, source.tenant_id)


async def _require_moments(connection: Connection) -> None:
    if await figures.is_citus(connection):
        raise errors.ExportUnavailable


def table(source: Source, part: TablePart) -> Pieces:
    """Return the rows of a table as they are now; raises FormatMissing."""
    return _table(source, part, FORMATS[part.format](part.table.fields))


async def _table(source: Source, part: TablePart, writer: Writer) -> Pieces:
    days = part.days or Days(query.EARLIEST.date(), query.LATEST.date())
    async with source.turn(), source.table() as connection:
        words, head = await exporting.names(connection, source.tenant_id), writer.head()
        async for block in standing.rows(connection, part.table, Slice(source.tenant_id, *days.times), words):
            async for piece in _written(writer, block):
                yield head + piece
                head = b""
        yield head + await asyncio.to_thread(writer.end)


async def focus_rows(source: Source, asked: Days) -> Pieces:
    """Yield usage as rows of FOCUS."""
    tenant_id = source.tenant_id
    async with source.turn(), source.table() as connection:
        account, head = Account(tenant_id, await reads.tenant_name(connection, tenant_id)), focus_lines.header()
        async for block in focus.days(connection, tenant_id, *asked.times):
            yield head + await asyncio.to_thread(focus_lines.lines, block, account)
            head = b""
        yield head


async def _written(writer: Writer, block: Block) -> AsyncGenerator[bytes, None]:
    for part in block.parts(writer.rows_max):
        yield await asyncio.to_thread(writer.block, part)
