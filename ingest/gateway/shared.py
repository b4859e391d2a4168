"""What the parent of a gateway makes once, and every worker gets."""

from typing import NamedTuple

from ingest.gateway.admission.board import BoardFile
from ingest.gateway.telemetry.handover import Handover


class Shared(NamedTuple):
    """Files without a name; multiprocessing passes them."""

    board: BoardFile  # Open for reading.
    handover: Handover
