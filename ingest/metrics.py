"""Every metric, with its closed labels; docs/metrics.md has a row for each. Counted per batch, never per event."""

from typing import Literal, get_args

from prometheus_client import Counter, Gauge, Histogram

from ingest.logs.sink import REASONS
from schema.event import DROP_REASONS
from schema.rules import RULES

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_ROWS = (1, 10, 100, 500, 1_000, 2_000, 4_000, 8_000, 16_000)
# Of what PostgreSQL answers to a transaction (manual, appendix A); any other class is `other`.
SQLSTATE_CLASSES = (
    "08", "0A", "22", "23", "25", "26", "28", "3D", "40", "42", "53", "54", "55", "57", "58", "XX",
)  # fmt: skip
Task = Literal["balance", "certificate", "maintainer", "pulse", "refresher", "writer"]

responses = Counter("ingest_responses", "Answers under /v1/.", ["status"])
request_seconds = Histogram("ingest_request_seconds", "From the first byte to the answer.", buckets=_SECONDS)
batches = Counter("ingest_batches", "Batches after COMMIT.", ["outcome"])
events = Counter("ingest_events", "Events after COMMIT.", ["outcome"])
refusals = Counter("ingest_refusals", "Refused batches by their first rule.", ["rule"])
problems = Counter("ingest_problems", "Problems answered, by type.", ["problem"])
coarsened_terms = Counter("ingest_coarsened_terms", "Strings stored as `unknown`, as tenants asked.")
learned_terms = Counter("ingest_learned_terms", "Terms that traffic brought.", ["outcome"])
vocabulary_budget_left = Gauge(
    "ingest_vocabulary_budget_left",
    "Terms that traffic may still bring.",
    ["budget", "kind"],
    multiprocess_mode="livemin",
)
dropped_events = Counter("ingest_dropped_events", "Events that proxies say they lost.", ["reason"])
flush_rows = Histogram("ingest_flush_rows", "Rows in one transaction.", buckets=_ROWS)
flush_seconds = Histogram("ingest_flush_seconds", "From BEGIN to COMMIT.", buckets=_SECONDS)
flushes = Counter("ingest_flushes", "Groups of batches by how they were stored.", ["outcome"])
transactions = Counter("ingest_transactions", "Transactions of the writers by how they ended.", ["outcome"])
commit_seconds = Histogram("ingest_commit_seconds", "COMMIT alone.", buckets=_SECONDS)
moved_senders = Counter("ingest_moved_senders", "Connections closed for a worker with less to do.")
queue_rows = Gauge("ingest_queue_rows", "Rows that wait for the writer.", multiprocess_mode="livesum")
queue_bytes = Gauge("ingest_queue_bytes", "Their bytes.", multiprocess_mode="livesum")
queue_age_seconds = Gauge("ingest_queue_age_seconds", "Of the batch that waits longest.", multiprocess_mode="livemax")
snapshot_age_seconds = Gauge(
    "ingest_snapshot_age_seconds", "Since tokens and terms were read.", multiprocess_mode="livemax"
)
clock_offset_seconds = Gauge(
    "ingest_clock_offset_seconds", "This node's clock minus PostgreSQL's.", multiprocess_mode="livemostrecent"
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
certificate_not_after_seconds = Gauge(
    "ingest_certificate_not_after_timestamp_seconds", "When the served certificate ends.", multiprocess_mode="livemin"
)
workers = Gauge("ingest_workers", "Workers that run.", multiprocess_mode="livesum")
broken_tasks = Gauge("ingest_broken_tasks", "Tasks of workers that have ended.", multiprocess_mode="livesum")
task_restarts = Counter("ingest_task_restarts", "Tasks of workers begun anew after what may pass.", ["task"])
pulse_timestamp_seconds = Gauge(
    "ingest_pulse_timestamp_seconds", "When the worker that is behind was last seen.", multiprocess_mode="livemin"
)
log_lines_lost = Counter("ingest_log_lines_lost", "Log lines that reached nobody.", ["reason"])
resident_bytes = Gauge("ingest_resident_bytes", "Memory of the workers.", multiprocess_mode="livesum")
loop_lag_seconds = Histogram(
    "ingest_loop_lag_seconds", "How late a worker is at what is due, ten times a second.", buckets=_SECONDS
)
cpu_seconds = Counter("ingest_cpu_seconds", "CPU time of the workers.")
build = Gauge("ingest_build_info", "Always 1.", ["version", "policy_digest"], multiprocess_mode="livemax")

# rate() does not see the first count of a series that was not there before, so all begin at 0. What HTTP answers is
# in `ingest.serving.problems`, and the budgets are in `ingest.intake.watch`.
for _metric, _values in (
    (task_restarts, get_args(Task)),
    (batches, ("stored", "replayed")),
    (events, ("accepted", "duplicate")),
    (refusals, RULES),
    (learned_terms, ("learned", "refused")),
    (dropped_events, DROP_REASONS),
    (log_lines_lost, REASONS),
    (flushes, ("copied", "repeated", "mended", "failed", "lost")),
    (transactions, ("committed", "unconfirmed", "lost", "away", *SQLSTATE_CLASSES, "other")),
):
    for _value in _values:
        _metric.labels(_value)
