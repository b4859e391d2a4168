"""`POST /v1/events`."""

import time

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from ingest import metrics
from ingest.errors import IngestError, Malformed, Rejected
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
        async with auth.service_of(request).intake.admit(caller, body.announced(request)) as seat:
            ticket = await seat.store(await seat.read(request))
        receipt = await ticket.receipt()
        answer = Response(_encoder.encode(receipt), media_type="application/json")
    except (Rejected, Malformed) as refused:
        metrics.refusals.labels(refused.violations[0].rule).inc()
        answer = problems.response(refused, request.state.request_id)
    except IngestError as error:
        answer = problems.response(error, request.state.request_id)
    except body.ClientGone:
        answer = Response(status_code=408)  # Nobody reads it.
    if caller is not None:
        _add_rate_limit(request, caller, answer)
    metrics.request_seconds.observe(time.perf_counter() - started)
    return answer


def _add_rate_limit(request: Request, caller: Caller, answer: Response) -> None:
    """Add the headers of draft-ietf-httpapi-ratelimit-headers if the tenant has a quota."""
    left = auth.service_of(request).quotas.left(caller.tenant_id)
    if left is not None:
        answer.headers["RateLimit-Policy"] = f'"events";q={left.quota};w={MINUTE_S}'
        answer.headers["RateLimit"] = f'"events";r={left.events};t={left.reset_s}'
