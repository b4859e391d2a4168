"""Metrics of the gateway; docs/metrics.md has a row for each."""

from collections.abc import Iterable, Mapping
from typing import Literal, get_args

from prometheus_client import Counter, Gauge, Histogram

from ingest.gateway.records import DoorName
from ingest.knowledge.gateway import REASONS, Reason
from ingest.metrics import begin_at_zero

Outcome = Literal[
    "ok",  # The answer is whole, and the provider's.
    "error",  # It is an error of the provider's, whole.
    "refused",  # By the gateway.
    "failed",  # No answer has begun: by the upstream, or by a bug of ours.
    "cut",  # By the upstream, after it.
    "cancelled",  # By the client.
]
OVERHEADS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1)

requests = Counter("ingest_gateway_requests", "Requests to the gateway, by what became of them.", ["door", "outcome"])
faults = Counter("ingest_gateway_faults", "The gateway's own refusals.", ["fault"])
decisions = Counter("ingest_gateway_decisions", "Decisions about models.", ["reason"])
upstream_failures = Counter("ingest_gateway_upstream_failures", "Attempts that failed, by class.", ["kind"])
under_way = Gauge("ingest_gateway_requests_under_way", "Requests under way.", multiprocess_mode="livesum")
body_bytes = Gauge("ingest_gateway_body_bytes", "Memory held by requests' bodies.", multiprocess_mode="livesum")
grants_age_seconds = Gauge(
    "ingest_gateway_grants_age_seconds", "Time since the service said who may.", multiprocess_mode="livemax"
)
decision_seconds = Histogram(
    "ingest_gateway_decision_seconds", "Time to decide, once a body has been read into facts.", buckets=OVERHEADS
)

# The series at 0, and kept, since each look-up of a label costs as much as counting.
of_requests: Mapping[tuple[DoorName, Outcome], Counter] = {
    (door, outcome): requests.labels(door, outcome) for door in get_args(DoorName) for outcome in get_args(Outcome)
}
of_decisions: Mapping[Reason, Counter] = {reason: decisions.labels(reason) for reason in REASONS}


def declare(known: Iterable[str], kinds: Iterable[str]) -> None:
    """Create the series of faults and of upstream failures, whose values packages above declare, at 0."""
    begin_at_zero(faults, known)
    begin_at_zero(upstream_failures, kinds)
