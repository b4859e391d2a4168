"""Serves `GET /v1/gateway/snapshot` to gateways, which share a key with the service and no database."""

from starlette.requests import Request
from starlette.responses import Response

from ingest.errors import Unavailable
from ingest.intake import auth
from ingest.intake.service import Service
from ingest.knowledge.gateway_keys import NOW_HEADER
from ingest.routes.grants import Grants
from ingest.serving import documents
from ingest.store.gateway import tables
from ingest.store.gateway.tables import Tables

PATH = "/v1/gateway/snapshot"
AGE_S_MAX = 3.0  # Of the worker's own snapshot: decision 0041 adds up what a revoked token can work for.
_NOBODY = 0  # No tenant: the look-up takes turns with those of each.


async def get_snapshot(request: Request) -> Response:
    """Return who may use a gateway and what each tenant wants, or 304 if the gateway knows; raises Unavailable."""
    service = auth.require_gateway(request)
    if service.refresher.age_s > AGE_S_MAX:
        raise Unavailable  # The gateway goes on with what it knows, or asks another worker.
    told = await _grants(request, service).told()
    headers = {"ETag": f'"{told.tag}"', NOW_HEADER: str(int(service.snapshot.clock.now_s * 1_000))}
    if documents.is_known(request, told.tag):
        return Response(status_code=304, headers=headers)
    return Response(told.body, headers=headers, media_type="application/json")


def _grants(request: Request, service: Service) -> Grants:
    """Return those of the worker, which are made for its first gateway."""
    state = request.app.state
    if not hasattr(state, "grants"):

        async def read() -> Tables:
            async with service.connections.lend(_NOBODY) as connection:
                return await tables.read(connection)

        state.grants = Grants(service.snapshot, read)
    grants = state.grants
    assert isinstance(grants, Grants)
    return grants
