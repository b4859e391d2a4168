"""Describes the gateway to the supervisor, whose process does not import it: only a worker does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingest import config
from ingest.errors import CannotStart
from ingest.gateway import bounds
from ingest.gateway.admission.board import BoardFile
from ingest.gateway.admission.provider_keys import ProviderKeys
from ingest.gateway.admission.settings import AdmissionSettings
from ingest.gateway.companion.launch import Companion
from ingest.gateway.shared import Shared
from ingest.gateway.telemetry.handover import Handover
from ingest.gateway.telemetry.settings import TelemetrySettings
from ingest.serving.application import API_HEADERS, Application, Headers

if TYPE_CHECKING:  # As in `serving.application`.
    from ingest.serving.application import Servable

# The provider's own fields pass untouched, so an answer gets no more than it must have.
HEADERS: Headers = [field for field in API_HEADERS if field[0] in {b"cache-control", b"x-content-type-options"}]


def create(shared: object) -> Servable:
    """Return the application of one worker; `shared` is what `share` returned."""
    from ingest.gateway import worker  # noqa: PLC0415 (the parent needs none of it)

    return worker.create(shared)


def share() -> Shared:
    """Start the companion, and return what the workers share with it."""
    board, handover = BoardFile.make(), _handover()
    Companion({"board": board.file, **handover.files()}).start()
    return Shared(board.readable(), handover)


def _handover() -> Handover:
    try:
        return Handover.make(config.load_own(TelemetrySettings).spool)
    except BlockingIOError:
        raise CannotStart(f"{config.PREFIX}GATEWAY_SPOOL names a folder that another gateway uses.") from None
    except OSError:
        raise CannotStart(f"{config.PREFIX}GATEWAY_SPOOL names a folder that cannot be made or written.") from None


def check() -> None:
    """Raise CannotStart if a worker or the companion could not run with its settings."""
    from ingest.gateway.companion import process  # noqa: PLC0415 (the parent needs none of it)

    process.check()
    ProviderKeys(config.load_own(AdmissionSettings).gateway_provider_keys)


def confine() -> None:
    """Give up, in a worker, what forwarding does not need."""
    bounds.hold_worker()


APPLICATION = Application(create, share, check, HEADERS, confine)
