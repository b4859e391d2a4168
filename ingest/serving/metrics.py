"""Metrics of any process that serves; docs/metrics.md has a row for each."""

from typing import Literal, get_args

from prometheus_client import Counter, Gauge, Histogram

from ingest.logs.sink import REASONS
from ingest.metrics import SECONDS, begin_at_zero

Task = Literal["balance", "certificate"]

responses = Counter("ingest_responses", "Answers under /v1/.", ["status"])
problems = Counter("ingest_problems", "Problems answered, by type.", ["problem"])
moved_senders = Counter("ingest_moved_senders", "Connections closed for a worker with less to do.")
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
    "ingest_loop_lag_seconds", "How late a worker is at what is due, ten times a second.", buckets=SECONDS
)
cpu_seconds = Counter("ingest_cpu_seconds", "CPU time of the workers.")

# Statuses and problems are those of an application: `serving.boundary.declare`.
begin_at_zero(task_restarts, get_args(Task))
begin_at_zero(log_lines_lost, REASONS)
