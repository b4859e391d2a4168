"""Serves `GET /v1/usage`: tokens, costs, savings and latencies of the caller's tenant, from rollups."""

import hashlib
from datetime import UTC, datetime

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from ingest.intake import auth
from ingest.reports import cursor, query, summing
from ingest.serving import documents
from ingest.store.read_connections import ReadConnections
from ingest.store.usage.reads import Page

PARAMETERS = ("since", "before", "granularity", "group_by", "percentiles", "limit", "cursor")
_encoder = msgspec.json.Encoder()


def connections_of(request: Request) -> ReadConnections:
    lent = request.app.state.read_connections
    assert isinstance(lent, ReadConnections)
    return lent


async def get_usage(request: Request) -> Response:
    """Return sums of the caller's tenant, or 304 if the sender has them."""
    caller = auth.identify(request, "usage:read")
    given = query.parameters(request.scope["query_string"], PARAMETERS)
    now = datetime.fromtimestamp(auth.service_of(request).snapshot.clock.now_s, UTC)
    asked = query.question(given, caller.tenant.vocabulary.tag_keys, now)
    page = Page(cursor.read(asked, query.cursor(given)), query.limit(given))
    async with connections_of(request).begin(caller.tenant_id) as connection:
        answer = await summing.answer(connection, caller.tenant_id, asked, page)
    return _response(request, _encoder.encode(answer))


def _response(request: Request, body: bytes) -> Response:
    tag = hashlib.sha256(body).hexdigest()[:32]
    headers = {"ETag": f'"{tag}"', "Cache-Control": "private, no-cache", "Vary": "Authorization"}
    if documents.is_known(request, tag):
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type="application/json")
