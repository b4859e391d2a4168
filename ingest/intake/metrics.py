"""Metrics of a process that accepts events; docs/metrics.md has a row for each. Counted per batch, never per event."""

from typing import Literal, get_args

from prometheus_client import Counter, Gauge, Histogram

from ingest.intake import diagnostics
from ingest.metrics import SECONDS, begin_at_zero
from ingest.serving.metrics import task_restarts
from ingest.store.endings import SQLSTATE_CLASSES
from schema.rules import RULES

Task = Literal["maintainer", "pulse", "refresher", "writer"]
_ROWS = (1, 10, 100, 500, 1_000, 2_000, 4_000, 8_000, 16_000)

request_seconds = Histogram(
    "ingest_request_seconds", "Time from the start of a request that brings events to its response.", buckets=SECONDS
)
batches = Counter("ingest_batches", "Batches, counted after COMMIT.", ["outcome"])
events = Counter("ingest_events", "Events, counted after COMMIT.", ["outcome"])
refusals = Counter("ingest_refusals", "Refused batches, by the first rule they broke.", ["rule"])
rejected_records = Counter(
    "ingest_rejected_records", "Records of other formats that were refused, each by itself.", ["rule"]
)
discarded_fields = Counter("ingest_discarded_fields", "Fields of other formats that were dropped.", ["field"])
learned_terms = Counter("ingest_learned_terms", "New terms in the traffic of tenants in mode learn.", ["outcome"])
vocabulary_budget_left = Gauge(
    "ingest_vocabulary_budget_left",
    "New terms that traffic may still register.",
    ["budget", "kind"],
    multiprocess_mode="livemin",
)
flush_rows = Histogram("ingest_flush_rows", "Rows in one transaction.", buckets=_ROWS)
flush_seconds = Histogram(
    "ingest_flush_seconds", "Time to store a group of batches, including reconnects.", buckets=SECONDS
)
flushes = Counter("ingest_flushes", "Groups of batches, by how they were stored.", ["outcome"])
transactions = Counter("ingest_transactions", "Transactions of the writers, by how they ended.", ["outcome"])
queue_rows = Gauge("ingest_queue_rows", "Rows that wait for a writer.", multiprocess_mode="livesum")
queue_bytes = Gauge("ingest_queue_bytes", "Bytes of the rows that wait for a writer.", multiprocess_mode="livesum")
queue_age_seconds = Gauge("ingest_queue_age_seconds", "Age of the oldest waiting batch.", multiprocess_mode="livemax")
snapshot_age_seconds = Gauge(
    "ingest_snapshot_age_seconds", "Time since tokens and terms were read.", multiprocess_mode="livemax"
)
retention_behind_days = Gauge(
    "ingest_retention_behind_days", "Days past retention that the guard withholds.", multiprocess_mode="livemax"
)
maintenance_age_seconds = Gauge(
    "ingest_maintenance_age_seconds",
    "Time since the last round of maintenance, whoever ran it.",
    multiprocess_mode="livemax",
)
partitions_ahead_days = Gauge(
    "ingest_partitions_ahead_days",
    "Days after today that have a partition; -1: not even today.",
    multiprocess_mode="livemin",
)
stream_missing_sequences = Gauge(
    "ingest_stream_missing_sequences",
    "Batches missing from streams that sent recently; -1: not known.",
    multiprocess_mode="livemax",
)
build = Gauge("ingest_build_info", "Always 1.", ["version", "policy_digest"], multiprocess_mode="livemax")

# `ingest.intake.watch` sets the budgets.
for _metric, _values in (
    (task_restarts, get_args(Task)),
    (batches, ("stored", "replayed")),
    (events, ("accepted", "duplicate")),
    (refusals, RULES),
    (rejected_records, RULES),
    (discarded_fields, diagnostics.FIELDS),
    (learned_terms, ("learned", "refused")),
    (flushes, ("copied", "repeated", "mended", "failed", "lost")),
    (transactions, ("committed", "unconfirmed", "lost", "away", *SQLSTATE_CLASSES, "other")),
):
    begin_at_zero(_metric, _values)
