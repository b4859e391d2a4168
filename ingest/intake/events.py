"""`POST /v1/events` and `GET /v1/streams/{id}`."""

import time
from contextlib import suppress
from uuid import UUID

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from ingest import metrics
from ingest.errors import IngestError, Malformed, Rejected, StreamNotFound
from ingest.intake import auth
from ingest.intake.callers import Caller
from ingest.intake.quota import MINUTE_S
from ingest.serving import body, problems

_encoder = msgspec.json.Encoder()


async def post_events(request: Request) -> Response:
    """Store a batch: 200 and a receipt after COMMIT, or a problem."""
    started = time.perf_counter()
    caller = None
    try:
        caller = auth.require(request, "events:write")
        service = auth.service_of(request)
        with (
            service.body_memory.share(caller.tenant_id) as hold,
            service.quotas.reserved(caller.tenant_id) as reservation,
        ):
            async with (
                service.admitted(caller, lambda: hold(body.announced(request))),
                service.large_bodies.work(caller.tenant_id) as work,
            ):
                entry = await service.prepare(caller, await body.read(request, hold, work.inflate), work)
                stored = service.put(caller, entry, reservation)
        receipt = await service.receipt(entry, stored)
        answer = Response(_encoder.encode(receipt), media_type="application/json")
    except (Rejected, Malformed) as refused:
        metrics.refusals.labels(refused.violations[0].rule).inc()
        answer = problems.response(refused, request.state.request_id)
    except IngestError as error:
        answer = problems.response(error, request.state.request_id)
    except body.ClientGone:
        answer = Response(status_code=408)  # To nobody.
    if caller is not None:
        _add_rate_limit(request, caller, answer)
    metrics.request_seconds.observe(time.perf_counter() - started)
    return answer


async def get_stream(request: Request) -> Response:
    """Tell what arrived of a stream of this tenant."""
    caller = auth.require(request, "streams:read")
    stream_id = None
    with suppress(ValueError):
        stream_id = UUID(request.path_params["id"])
    if stream_id is None:
        raise StreamNotFound
    state = await auth.service_of(request).stream(caller, stream_id)
    return Response(_encoder.encode(state), media_type="application/json")


def _add_rate_limit(request: Request, caller: Caller, answer: Response) -> None:
    """Headers of draft-ietf-httpapi-ratelimit-headers, where the tenant has a quota."""
    left = auth.service_of(request).quotas.left(caller.tenant_id)
    if left is not None:
        answer.headers["RateLimit-Policy"] = f'"events";q={left.quota};w={MINUTE_S}'
        answer.headers["RateLimit"] = f'"events";r={left.events};t={left.reset_s}'
