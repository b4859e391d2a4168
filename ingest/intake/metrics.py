"""Metrics of a process that accepts events; docs/metrics.md has a row for each. Counted per batch, never per event."""

from typing import Literal, get_args

from prometheus_client import Counter, Gauge, Histogram

from ingest.intake import diagnostics
from ingest.metrics import SECONDS, begin_at_zero
from ingest.serving.metrics import task_restarts
from ingest.store.endings import SQLSTATE_CLASSES
from ingest.store.jobs import JobName
from schema.rules import RULES

Task = Literal[
    "alerts", "erase", "jobs", "mail", "maintainer", "orders", "pulse", "refresher", "rollup", "traffic", "webhooks",
    "writer",
]  # fmt: skip
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
job_age_seconds = Gauge(
    "ingest_job_age_seconds",
    "Time since the start of the last round of a job that left nothing to do, whoever ran it.",
    ["task"],  # Not `job`: Prometheus has a label of that name.
    multiprocess_mode="livemax",
)


def _of_jobs(name: str, says: str, *labels: str) -> Gauge:
    """Declare a figure that the jobs keep in the database, so that it counts those of every process."""
    return Gauge(name, f"{says} Of all processes, as kept in the database.", labels, multiprocess_mode="livemax")


rollup_rows = _of_jobs("ingest_rollup_rows", "Events added to rollups.")
rollup_recomputed_hours = _of_jobs("ingest_rollup_recomputed_hours", "Hours summed again from their rows.")
rollup_pending_events = _of_jobs("ingest_rollup_pending_events", "Events that no rollup has yet.")
rollup_pending_marks = _of_jobs("ingest_rollup_pending_marks", "Marks of such events.")
rollup_compared_hours = _of_jobs("ingest_rollup_compared_hours", "Hours compared with their rows.")
rollup_differing_hours = _of_jobs("ingest_rollup_differing_hours", "1 while an hour differs from its rows.")
cost_mismatch_ratio = _of_jobs("ingest_cost_mismatch_ratio", "Reported cost that disagrees with the price book.")
unpriced_events = _of_jobs("ingest_unpriced_events", "Events without a cost and without a price.")
documents = _of_jobs("ingest_documents", "Invoices and credit notes that the job issued.")
invoices_overdue = _of_jobs("ingest_invoices_overdue", "Months that are due and not summed.")
hand_overs = _of_jobs("ingest_hand_overs", "Invoices handed over to the payment processor.")
hand_overs_failing = _of_jobs("ingest_hand_overs_failing", "Invoices that it refused, and 1 while it is away.")
erased_rows = _of_jobs("ingest_erased_rows", "Rows that erasures deleted.")
erasures_finished = _of_jobs("ingest_erasures_finished", "Erasures with a receipt.")
erasures_open = _of_jobs("ingest_erasures_open", "Erasures that were recorded and are not finished.")
erasure_age_seconds = _of_jobs("ingest_erasure_age_seconds", "Age of the oldest of these; 0 if there is none.")
letters = _of_jobs("ingest_letters", "Letters by what became of them.", "outcome")
mail_ambiguous = _of_jobs(
    "ingest_mail_ambiguous", "Letters of which nobody knows whether the mail server took them.", "kind"
)
letters_waiting = _of_jobs("ingest_letters_waiting", "Letters that are due and not sent.")
letter_age_seconds = _of_jobs("ingest_letter_age_seconds", "How long the oldest of these is due; 0 if there is none.")
mail_server_failing = _of_jobs("ingest_mail_server_failing", "1 while the mail server cannot be used.")
mail_without_tls = _of_jobs("ingest_mail_without_tls", "1 while that is for want of TLS or of a good certificate.")
budgets_open = _of_jobs("ingest_budgets_open", "Budgets that are compared with spend.")
budget_alerts = _of_jobs("ingest_budget_alerts", "Alerts about budgets that were announced.", "kind")
webhook_deliveries = _of_jobs("ingest_webhook_deliveries", "Deliveries that receivers of webhooks took.")
webhook_failures = _of_jobs("ingest_webhook_failures", "Attempts at deliveries that were not taken.")
webhooks_given_up = _of_jobs("ingest_webhook_deliveries_given_up", "Deliveries that were given up.")
webhooks_failing = _of_jobs("ingest_webhooks_failing", "Webhooks whose last delivery was not taken.")
webhook_age_seconds = _of_jobs(
    "ingest_webhook_age_seconds", "Time that a delivery is due, if its webhook does not fail."
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
for _job in get_args(JobName):
    job_age_seconds.labels(_job)
