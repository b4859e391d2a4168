"""Serves `GET /v1/exports`: a tenant's data in parts, each streamed; a sender may go on after a cut."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from ingest.intake import auth
from ingest.reports import errors, export_answers, export_query, query, streaming
from ingest.reports.export_query import DayPart, Days, TablePart
from ingest.reports.streaming import Pieces, Stream
from ingest.rights.exporting import focus as focus_lines
from ingest.rights.exporting.focus import Account
from ingest.rights.exporting.writers import FORMATS, MEDIA_TYPES, Writer
from ingest.serving import documents
from ingest.store.connections import Connection
from ingest.store.fairness import FairSemaphore
from ingest.store.read_connections import BLOCKS, TABLES, ReadConnections
from ingest.store.rights import exporting, figures, focus, moments, standing
from ingest.store.rights.columns import Block
from ingest.store.rights.exporting import Names, Slice
from ingest.store.usage import reads

STREAMS_MAX = 4  # Of a worker: each may hold a block of rows.
TENANT_STREAMS_MAX = 2
_WAITING_MAX = 8
_WAIT_S = 3.0
_BLOCK_ROWS_MAX = 8_192  # Of a stream: a block becomes columns on the loop, which batches wait for.
_REST_S_MAX = 0.25  # Between blocks, so that streams take at most half of a core.
_SCOPE = "exports:read"
_encoder = msgspec.json.Encoder()
_FIELDS = {"events": exporting.EVENT_FIELDS, "ledger": exporting.BATCH_FIELDS}


class Exports:
    """The connections of a worker's exports, and the turns of those who take them."""

    def __init__(self, dsn: str) -> None:
        self.blocks = ReadConnections(dsn, BLOCKS)
        self.tables = ReadConnections(dsn, TABLES)
        self._turns = FairSemaphore(STREAMS_MAX, TENANT_STREAMS_MAX, _WAITING_MAX)

    @asynccontextmanager
    async def turn(self, tenant_id: int) -> AsyncIterator[None]:
        """Wait for one of the streams; raises Overloaded."""
        async with self._turns.turn_within(tenant_id, _WAIT_S):
            yield

    async def close(self) -> None:
        await self.blocks.close()
        await self.tables.close()


def exports_of(request: Request) -> Exports:
    found = request.app.state.exports
    assert isinstance(found, Exports)
    return found


async def get_manifest(request: Request) -> Response:
    """Return the moment and the parts of an export."""
    caller = auth.identify(request, _SCOPE)
    given = query.parameters(request.scope["query_string"], ("from", "before", "data"))
    asked, data = export_query.days(given), export_query.data(given)
    wanted = Slice(caller.tenant_id, *asked.times)
    async with exports_of(request).blocks.begin(caller.tenant_id) as connection:
        await _require_moments(connection)
        moment = await moments.take(connection)
        facts = await figures.facts(connection, caller.tenant_id)
        days = await figures.days(connection, wanted) if "events" in data else {}
    body = _encoder.encode(export_answers.manifest(asked, data, moment, facts, days))
    return Response(body, headers={"Cache-Control": "private, no-store"}, media_type="application/json")


async def get_day(request: Request) -> Stream:
    """Stream the rows of a day as of a moment."""
    caller = auth.identify(request, _SCOPE)
    given = query.parameters(
        request.scope["query_string"], ("snapshot", "after"), bytes_max=export_query.QUERY_BYTES_MAX
    )
    part = export_query.day_part(request.path_params["data"], request.path_params["file"], given)
    writer = FORMATS[part.format](_FIELDS[part.data])
    pieces = _day(exports_of(request), caller.tenant_id, part, writer)
    return _stream(request, pieces, part.name, part.format)


async def get_table(request: Request) -> Stream:
    """Stream the rows of a table as they are now."""
    caller = auth.identify(request, _SCOPE)
    given = query.parameters(request.scope["query_string"], ("from", "before"))
    file = request.path_params["file"]
    part = export_query.table_part(file, given)
    writer = FORMATS[part.format](part.table.fields)
    return _stream(request, _table(exports_of(request), caller.tenant_id, part, writer), file, part.format)


async def get_focus(request: Request) -> Stream:
    """Stream usage as rows of FOCUS."""
    caller = auth.identify(request, _SCOPE)
    asked = export_query.days(query.parameters(request.scope["query_string"], ("from", "before")))
    return _stream(request, _focus(exports_of(request), caller.tenant_id, asked), "focus.csv", "csv")


def _stream(request: Request, pieces: Pieces, name: str, form: str) -> Stream:
    headers = {
        "Content-Type": MEDIA_TYPES[form],
        "Content-Disposition": f'attachment; filename="{name}"',  # By now of words and numbers of ours.
        "Cache-Control": "private, no-store",
        "Vary": "Accept-Encoding, Authorization",
    }
    if form != "parquet" and documents.takes_gzip(request):
        return Stream(streaming.gzipped(pieces), headers | {"Content-Encoding": "gzip"})
    return Stream(pieces, headers)


async def _day(exports: Exports, tenant_id: int, part: DayPart, writer: Writer) -> Pieces:
    wanted = Slice(tenant_id, *Days(part.day, part.day + timedelta(days=1)).times, rows_max=_BLOCK_ROWS_MAX)
    async with exports.turn(tenant_id):
        head, place = b"" if part.is_resumed else writer.head(), part.after
        words = await _words(exports, tenant_id, part)
        while True:
            began = time.monotonic()
            async with exports.blocks.begin(tenant_id) as connection:
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


async def _words(exports: Exports, tenant_id: int, part: DayPart) -> Names:
    """Return the words of the rows; raises InvalidMoment."""
    async with exports.blocks.begin(tenant_id) as connection:
        await _require_moments(connection)
        part.moment.require_known(await moments.latest(connection))
        return await exporting.names(connection, tenant_id)


async def _require_moments(connection: Connection) -> None:
    if await figures.is_citus(connection):
        raise errors.ExportUnavailable


async def _table(exports: Exports, tenant_id: int, part: TablePart, writer: Writer) -> Pieces:
    days = part.days or Days(query.EARLIEST.date(), query.LATEST.date())
    async with exports.turn(tenant_id), exports.tables.begin(tenant_id) as connection:
        words, head = await exporting.names(connection, tenant_id), writer.head()
        async for block in standing.rows(connection, part.table, Slice(tenant_id, *days.times), words):
            async for piece in _written(writer, block):
                yield head + piece
                head = b""
        yield head + await asyncio.to_thread(writer.end)


async def _focus(exports: Exports, tenant_id: int, asked: Days) -> Pieces:
    async with exports.turn(tenant_id), exports.tables.begin(tenant_id) as connection:
        account, head = Account(tenant_id, await reads.tenant_name(connection, tenant_id)), focus_lines.header()
        async for block in focus.days(connection, tenant_id, *asked.times):
            yield head + await asyncio.to_thread(focus_lines.lines, block, account)
            head = b""
        yield head


async def _written(writer: Writer, block: Block) -> AsyncGenerator[bytes, None]:
    for part in block.parts(writer.rows_max):
        yield await asyncio.to_thread(writer.block, part)
