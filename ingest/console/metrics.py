"""Metrics of the console; docs/metrics.md has a row for each. No label names a tenant, a person or a page's subject."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Literal, get_args

from prometheus_client import Counter, Gauge, Histogram

from ingest.metrics import SECONDS, begin_at_zero
from ingest.serving.metrics import task_restarts

Outcome = Literal["signed-in", "awaits-code", "refused", "throttled"]
Task = Literal["database", "orders", "page-counts", "pulse", "site-counts"]

console_responses = Counter("ingest_console_responses", "Responses of the console, static files included.", ["status"])
console_page_seconds = Histogram(
    "ingest_console_page_seconds", "Time from the head of a request for a page to its answer.", buckets=SECONDS
)
console_sign_ins = Counter(
    "ingest_console_sign_ins", "Attempts to sign in, with a password, code or link.", ["outcome"]
)
security_txt_expires_seconds = Gauge(
    "ingest_security_txt_expires_timestamp_seconds",
    "Expiry of the console's security.txt; 0: none is served.",
    multiprocess_mode="livemin",
)

begin_at_zero(console_sign_ins, get_args(Outcome))
begin_at_zero(task_restarts, get_args(Task))


_OF_PAGES = {
    HTTPStatus.OK, HTTPStatus.SEE_OTHER, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.TOO_MANY_REQUESTS,
}  # fmt: skip


def declare(statuses: Iterable[HTTPStatus]) -> None:
    """Create the series of all statuses, at 0."""
    for status in {*_OF_PAGES, *statuses}:
        console_responses.labels(str(status.value))


def count_sign_in(outcome: Outcome) -> None:
    """Count an attempt to sign in."""
    console_sign_ins.labels(outcome).inc()
