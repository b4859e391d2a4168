"""Holds what the requests of one worker share."""

from dataclasses import dataclass

from ingest.console.counts import PageCounts
from ingest.serving.body_memory import BodyMemory
from ingest.store.visits import Visits

FORMS_BYTES_MAX = 16 * 1024 * 1024  # Of all forms that are being received.


@dataclass(frozen=True)
class Services:
    """The parts of a worker that its pages use."""

    origin: str  # As browsers see it.
    visits: Visits
    memory: BodyMemory
    counts: PageCounts
    proof_report: str | None = None  # The file of the last proof's report.
