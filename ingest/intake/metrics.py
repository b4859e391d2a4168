"""Metrics of a process that takes events; docs/metrics.md has a row for each. Counted per batch, never per event."""

from typing import Literal, get_args

from prometheus_client import Counter, Gauge, Histogram

from ingest.metrics import SECONDS, begin_at_zero
from ingest.serving.metrics import task_restarts
from ingest.store.endings import SQLSTATE_CLASSES
from schema.rules import RULES

Task = Literal["maintainer", "pulse", "refresher", "writer"]
_ROWS = (1, 10, 100, 500, 1_000, 2_000, 4_000, 8_000, 16_000)

request_seconds = Histogram("ingest_request_seconds", "From the first byte to the answer.", buckets=SECONDS)
batches = Counter("ingest_batches", "Batches after COMMIT.", ["outcome"])
events = Counter("ingest_events", "Events after COMMIT.", ["outcome"])
refusals = Counter("ingest_refusals", "Refused batches by their first rule.", ["rule"])
learned_terms = Counter("ingest_learned_terms", "Terms that traffic brought.", ["outcome"])
vocabulary_budget_left = Gauge(
    "ingest_vocabulary_budget_left",
    "Terms that traffic may still bring.",
    ["budget", "kind"],
    multiprocess_mode="livemin",
)
flush_rows = Histogram("ingest_flush_rows", "Rows in one transaction.", buckets=_ROWS)
flush_seconds = Histogram("ingest_flush_seconds", "From BEGIN to COMMIT.", buckets=SECONDS)
flushes = Counter("ingest_flushes", "Groups of batches by how they were stored.", ["outcome"])
transactions = Counter("ingest_transactions", "Transactions of the writers by how they ended.", ["outcome"])
queue_rows = Gauge("ingest_queue_rows", "Rows that wait for the writer.", multiprocess_mode="livesum")
queue_bytes = Gauge("ingest_queue_bytes", "Their bytes.", multiprocess_mode="livesum")
queue_age_seconds = Gauge("ingest_queue_age_seconds", "Of the batch that waits longest.", multiprocess_mode="livemax")
snapshot_age_seconds = Gauge(
    "ingest_snapshot_age_seconds", "Since tokens and terms were read.", multiprocess_mode="livemax"
)
retention_behind_days = Gauge(
    "ingest_retention_behind_days", "Days past retention that are withheld.", multiprocess_mode="livemax"
)
maintenance_age_seconds = Gauge(
    "ingest_maintenance_age_seconds", "Since a round of maintenance ended, whoever led it.", multiprocess_mode="livemax"
)
partitions_ahead_days = Gauge(
    "ingest_partitions_ahead_days", "Whole days with a partition.", multiprocess_mode="livemin"
)
stream_missing_sequences = Gauge(
    "ingest_stream_missing_sequences", "Gaps in what arrived lately.", multiprocess_mode="livemax"
)
build = Gauge("ingest_build_info", "Always 1.", ["version", "policy_digest"], multiprocess_mode="livemax")

# The budgets are in `ingest.intake.watch`.
for _metric, _values in (
    (task_restarts, get_args(Task)),
    (batches, ("stored", "replayed")),
    (events, ("accepted", "duplicate")),
    (refusals, RULES),
    (learned_terms, ("learned", "refused")),
    (flushes, ("copied", "repeated", "mended", "failed", "lost")),
    (transactions, ("committed", "unconfirmed", "lost", "away", *SQLSTATE_CLASSES, "other")),
):
    begin_at_zero(_metric, _values)
