"""Metrics of the companion, which /metrics of the gateway adds up with those of the workers."""

from typing import Final

from prometheus_client import Counter

from ingest.metrics import begin_at_zero

OUTCOMES: Final = ("received", "stored", "refused", "lost")

reports = Counter("ingest_gateway_reports", "Finished requests on their way to the service.", ["outcome"])
starts = Counter("ingest_gateway_companion_starts", "Starts of the companion; it has one unless something ended it.")

polls = Counter("ingest_gateway_polls", "Questions to the service about who may, by what came.", ["outcome"])

begin_at_zero(reports, OUTCOMES)
