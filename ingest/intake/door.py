"""Shared by every door that accepts events: lets callers in, times and counts requests, and announces the quota."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from starlette.requests import Request

from ingest.errors import IngestError
from ingest.intake import auth, metrics
from ingest.intake.callers import Caller
from ingest.intake.errors import QuotaExceeded, QuotaSpent
from ingest.intake.quota import MINUTE_S, Quotas
from ingest.intake.seat import Intake
from ingest.serving.application import Headers
from ingest.serving.boundary import FIELDS
from ingest.serving.errors import ClientGone


@contextmanager
def measured() -> Iterator[None]:
    """Time a request, and count a refusal by its first rule; ignore a bug."""
    started = time.perf_counter()
    try:
        yield
    except (IngestError, ClientGone) as error:
        if isinstance(error, IngestError) and error.violations:
            metrics.refusals.labels(error.violations[0].rule).inc()
        metrics.request_seconds.observe(time.perf_counter() - started)
        raise
    metrics.request_seconds.observe(time.perf_counter() - started)


@contextmanager
def answering_503() -> Iterator[None]:
    """Answer a full quota by 503, for clients that retry after it and drop what they hold after 429."""
    try:
        yield
    except QuotaExceeded as error:
        raise QuotaSpent(error.retry_after_s) from None


def enter(request: Request) -> tuple[Intake, Caller]:
    """Return the intake and who may write events to it; raises what `auth.require` raises.

    What is left of the tenant's quota will be in the response headers, as of the moment of the response.
    """
    caller = auth.require(request, "events:write")
    service = auth.service_of(request)
    request.scope["state"][FIELDS] = partial(_rate_limit, service.quotas, caller.tenant_id)
    return service.intake, caller


def _rate_limit(quotas: Quotas, tenant_id: int) -> Headers:
    """Return the headers of draft-ietf-httpapi-ratelimit-headers if the tenant has a quota."""
    left = quotas.left(tenant_id)
    if left is None:
        return []
    return [
        (b"ratelimit-policy", b'"events";q=%d;w=%d' % (left.quota, MINUTE_S)),
        (b"ratelimit", b'"events";r=%d;t=%d' % (left.events, left.reset_s)),
    ]
