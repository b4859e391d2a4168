"""Serves `GET /v1/exports`: a tenant's data in parts, each streamed; a sender may go on after a cut."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from ingest.intake import auth
from ingest.reports import export_parts, export_query, query, streaming
from ingest.reports.export_parts import Source
from ingest.reports.streaming import Pieces, Stream
from ingest.serving import documents
from ingest.store.fairness import FairSemaphore
from ingest.store.prefixes import ALL
from ingest.store.read_connections import BLOCKS, TABLES, ReadConnections

STREAMS_MAX = 4  # Of a worker: each may hold a block of rows.
TENANT_STREAMS_MAX = 2
_WAITING_MAX = 8
_WAIT_S = 3.0
_SCOPE = "exports:read"
_encoder = msgspec.json.Encoder()


class Exports:
    """The connections of a worker's exports, and the turns of those who take them."""

    def __init__(self, dsn: str) -> None:
        self.blocks = ReadConnections(dsn, BLOCKS)
        self.tables = ReadConnections(dsn, TABLES)
        self._turns = FairSemaphore(STREAMS_MAX, TENANT_STREAMS_MAX, _WAITING_MAX)

    def source(self, tenant_id: int) -> Source:
        """Return a tenant's data."""
        return Source(
            tenant_id,
            ALL,
            partial(self._turn, tenant_id),
            partial(self.blocks.begin, tenant_id),
            partial(self.tables.begin, tenant_id),
        )

    @asynccontextmanager
    async def _turn(self, tenant_id: int) -> AsyncIterator[None]:
        """Wait for one of the streams; raises Overloaded."""
        async with self._turns.turn_within(tenant_id, _WAIT_S):
            yield

    async def close(self) -> None:
        await self.blocks.close()
        await self.tables.close()


def _source(request: Request) -> Source:
    """Return the data of the caller's tenant."""
    exports = request.app.state.exports
    assert isinstance(exports, Exports)
    return exports.source(auth.identify(request, _SCOPE).tenant_id)


async def get_manifest(request: Request) -> Response:
    """Return the moment and the parts of an export."""
    source = _source(request)
    given = query.parameters(request.scope["query_string"], ("from", "before", "data"))
    found = await export_parts.manifest(source, export_query.days(given), export_query.data(given))
    return Response(
        _encoder.encode(found), headers={"Cache-Control": "private, no-store"}, media_type="application/json"
    )


async def get_day(request: Request) -> Stream:
    """Stream the rows of a day as of a moment."""
    source = _source(request)
    given = query.parameters(
        request.scope["query_string"], ("snapshot", "after"), bytes_max=export_query.QUERY_BYTES_MAX
    )
    part = export_query.day_part(request.path_params["data"], request.path_params["file"], given)
    return _stream(request, export_parts.day(source, part), part.name, part.format)


async def get_table(request: Request) -> Stream:
    """Stream the rows of a table as they are now."""
    source = _source(request)
    given = query.parameters(request.scope["query_string"], ("from", "before"))
    file = request.path_params["file"]
    part = export_query.table_part(file, given)
    return _stream(request, export_parts.table(source, part), file, part.format)


async def get_focus(request: Request) -> Stream:
    """Stream usage as rows of FOCUS."""
    source = _source(request)
    asked = export_query.days(query.parameters(request.scope["query_string"], ("from", "before")))
    return _stream(request, export_parts.focus_rows(source, asked), "focus.csv", "csv")


def _stream(request: Request, pieces: Pieces, name: str, form: str) -> Stream:
    headers = export_parts.headers(name, form) | {"Vary": "Accept-Encoding, Authorization"}
    if form != "parquet" and documents.takes_gzip(request):
        return Stream(streaming.gzipped(pieces), headers | {"Content-Encoding": "gzip"})
    return Stream(pieces, headers)
