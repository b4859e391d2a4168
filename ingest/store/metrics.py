"""Metrics of a process that stores batches; docs/metrics.md has a row for each."""

from prometheus_client import Counter, Histogram

from ingest.metrics import SECONDS, begin_at_zero
from schema.event import DROP_REASONS

coarsened_terms = Counter("ingest_coarsened_terms", "Strings stored as `unknown` for tenants in mode coarsen.")
erased_events_ignored = Counter("ingest_erased_events_ignored", "Events that came again after their erasure.")
dropped_events = Counter("ingest_dropped_events", "Events that proxies report as lost.", ["reason"])
commit_seconds = Histogram("ingest_commit_seconds", "Time of COMMIT alone.", buckets=SECONDS)

begin_at_zero(dropped_events, DROP_REASONS)
