"""Shared by every door that accepts events: lets callers in, times and counts requests, and announces the quota."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from starlette.requests import Request

from ingest.errors import IngestError
from ingest.intake import auth, metrics, traffic
from ingest.intake.callers import Caller
from ingest.intake.errors import QuotaExceeded, QuotaSpent
from ingest.intake.quota import MINUTE_S, Quotas
from ingest.intake.seat import Intake, Ticket
from ingest.knowledge.tokens import Token
from ingest.serving.application import Headers
from ingest.serving.boundary import FIELDS
from ingest.serving.errors import ClientGone
from ingest.store.batches import Entry
from ingest.store.traffic import Door, Sender


@dataclass(slots=True)
class Passage:
    """What a request brought: a batch that was stored, and records that were refused by themselves, by rule."""

    entry: Entry | None = None
    rejected: Counter[str] = field(default_factory=Counter)

    def note(self, ticket: Ticket | None, rejected: Counter[str]) -> None:
        self.entry, self.rejected = ticket and ticket.entry, rejected


@contextmanager
def measured(request: Request, door: Door) -> Iterator[Passage]:
    """Time a request, count a refusal by its first rule, and its tenant's traffic; ignore a bug.

    The block notes in the passage what the request brought, by when it has been answered for sure.
    """
    started = time.perf_counter()
    passage = Passage()
    try:
        yield passage
    except (IngestError, ClientGone) as error:
        if isinstance(error, IngestError):
            _count_refusal(request, door, error)
        metrics.request_seconds.observe(time.perf_counter() - started)
        raise
    _count_arrival(request, door, passage)
    metrics.request_seconds.observe(time.perf_counter() - started)


def _count_refusal(request: Request, door: Door, error: IngestError) -> None:
    if error.violations:
        metrics.refusals.labels(error.violations[0].rule).inc()
    sender = _sender(request, door)
    if sender is not None:
        auth.service_of(request).traffic.refuse(sender, error)


def _count_arrival(request: Request, door: Door, passage: Passage) -> None:
    sender, service = _sender(request, door), auth.service_of(request)
    assert sender is not None
    service.traffic.arrive(sender, passage.entry, int(service.snapshot.clock.now_s * 1_000))
    for rule, count in passage.rejected.items():
        service.traffic.reject(sender, rule, count)


def _sender(request: Request, door: Door) -> Sender | None:
    token: Token | None = request.scope["state"].get(auth.SENDER)
    if token is None:
        return None
    return Sender(token.tenant_id, token.token_id, door, traffic.version_of(request.headers.getlist("user-agent")))


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
