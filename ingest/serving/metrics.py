"""Metrics of every process that serves; docs/metrics.md has a row for each."""

from typing import Literal, get_args

from prometheus_client import Counter, Gauge, Histogram

from ingest.logs.sink import REASONS
from ingest.metrics import SECONDS, begin_at_zero

Task = Literal["balance", "certificate"]

responses = Counter("ingest_responses", "Responses to requests under /v1/.", ["status"])
problems = Counter("ingest_problems", "Problem responses, by type.", ["problem"])
moved_senders = Counter("ingest_moved_senders", "Connections closed so that their senders reach a less busy worker.")
certificate_not_after_seconds = Gauge(
    "ingest_certificate_not_after_timestamp_seconds",
    "Expiry of the certificate in use; 0: no TLS.",
    multiprocess_mode="livemin",
)
workers = Gauge("ingest_workers", "Running workers.", multiprocess_mode="livesum")
broken_tasks = Gauge(
    "ingest_broken_tasks", "Tasks of workers that have ended and should not have.", multiprocess_mode="livesum"
)
task_restarts = Counter("ingest_task_restarts", "Tasks of workers restarted after a transient error.", ["task"])
pulse_timestamp_seconds = Gauge(
    "ingest_pulse_timestamp_seconds",
    "Last heartbeat of the worker that is furthest behind.",
    multiprocess_mode="livemin",
)
log_lines_lost = Counter("ingest_log_lines_lost", "Log lines that could not be written.", ["reason"])
resident_bytes = Gauge("ingest_resident_bytes", "Memory of the workers.", multiprocess_mode="livesum")
loop_lag_seconds = Histogram(
    "ingest_loop_lag_seconds", "Delay of a worker's event loop, measured ten times a second.", buckets=SECONDS
)
cpu_seconds = Counter("ingest_cpu_seconds", "CPU time of the workers.")

# `serving.boundary.declare` does the same for an application's statuses and problems.
begin_at_zero(task_restarts, get_args(Task))
begin_at_zero(log_lines_lost, REASONS)
