"""Serves `GET /v1/streams/{id}`: which batches of a stream arrived, and which are missing."""

import asyncio
from contextlib import suppress
from uuid import UUID

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from ingest.intake import auth
from ingest.store import streams
from ingest.store.errors import StreamNotFound

LOOK_UP_S_MAX = 2.0  # The tenant has one connection, so its learning waits meanwhile.
_encoder = msgspec.json.Encoder()


async def get_stream(request: Request) -> Response:
    """Return the state of a stream of the caller's tenant; raises StreamNotFound."""
    caller = auth.require(request, "streams:read")
    stream_id = None
    with suppress(ValueError):
        stream_id = UUID(request.path_params["id"])
    if stream_id is None:
        raise StreamNotFound
    connections = auth.service_of(request).connections
    async with connections.lend(caller.tenant_id) as connection, asyncio.timeout(LOOK_UP_S_MAX):
        state = await streams.state(connection, caller.tenant_id, stream_id)
    return Response(_encoder.encode(state), media_type="application/json")
