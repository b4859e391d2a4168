"""Metrics of this room; docs/metrics.md has a row for each."""

from typing import Literal, get_args

from prometheus_client import Counter

from ingest.metrics import begin_at_zero

Ending = Literal["whole", "gone", "failed"]

export_streams = Counter("ingest_export_streams", "Parts of exports sent over HTTP, by how they ended.", ["outcome"])
export_bytes = Counter("ingest_export_bytes", "Bytes of parts of exports sent over HTTP.")

begin_at_zero(export_streams, get_args(Ending))
