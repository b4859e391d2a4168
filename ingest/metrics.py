"""Every metric, with its closed labels; docs/metrics.md has a row for each. Counted per batch, never per event."""

from prometheus_client import Counter, Gauge, Histogram

from schema.event import DROP_REASONS
from schema.rules import RULES

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_ROWS = (1, 10, 100, 500, 1_000, 2_000, 4_000, 8_000, 16_000)

responses = Counter("ingest_responses", "Answers under /v1/.", ["status"])
request_seconds = Histogram("ingest_request_seconds", "From the first byte to the answer.", buckets=_SECONDS)
batches = Counter("ingest_batches", "Batches after COMMIT.", ["outcome"])  # stored, replayed
events = Counter("ingest_events", "Events after COMMIT.", ["outcome"])  # accepted, duplicate
refusals = Counter("ingest_refusals", "Refused batches by their first rule.", ["rule"])
problems = Counter("ingest_problems", "Problems answered, by type.", ["problem"])
coarsened_terms = Counter("ingest_coarsened_terms", "Strings stored as `unknown`, as tenants asked.")
learned_terms = Counter("ingest_learned_terms", "Terms that traffic brought.", ["outcome"])  # learned, refused
dropped_events = Counter("ingest_dropped_events", "Events that proxies say they lost.", ["reason"])
flush_rows = Histogram("ingest_flush_rows", "Rows in one transaction.", buckets=_ROWS)
flush_seconds = Histogram("ingest_flush_seconds", "From BEGIN to COMMIT.", buckets=_SECONDS)
flushes = Counter("ingest_flushes", "Groups of batches by how they were stored.", ["outcome"])
moved_senders = Counter("ingest_moved_senders", "Connections closed for a worker with less to do.")
queue_rows = Gauge("ingest_queue_rows", "Rows that wait for the writer.", multiprocess_mode="livesum")
queue_bytes = Gauge("ingest_queue_bytes", "Their bytes.", multiprocess_mode="livesum")
snapshot_age_seconds = Gauge(
    "ingest_snapshot_age_seconds", "Since tokens and terms were read.", multiprocess_mode="livemax"
)
partitions_ahead_days = Gauge(
    "ingest_partitions_ahead_days", "Whole days with a partition.", multiprocess_mode="livemin"
)
stream_missing_sequences = Gauge(
    "ingest_stream_missing_sequences", "Gaps in what arrived lately.", multiprocess_mode="livemax"
)
certificate_not_after_seconds = Gauge(
    "ingest_certificate_not_after_timestamp_seconds", "When the served certificate ends.", multiprocess_mode="livemin"
)
build = Gauge("ingest_build_info", "Always 1.", ["version", "policy_digest"], multiprocess_mode="livemax")

# rate() does not see the first count of a series that was not there before, so what alerts look at begins at 0.
responses.labels("503")
problems.labels("bug")
flushes.labels("failed")
for _rule in RULES:
    refusals.labels(_rule)
for _reason in DROP_REASONS:
    dropped_events.labels(_reason)
