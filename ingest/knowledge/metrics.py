"""Metrics of any process that keeps time with PostgreSQL; docs/metrics.md has a row for each."""

from prometheus_client import Gauge

clock_offset_seconds = Gauge(
    "ingest_clock_offset_seconds", "This node's clock minus PostgreSQL's.", multiprocess_mode="livemostrecent"
)
