"""Settings of what a gateway reports."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from ingest.config import Settings


@dataclass(frozen=True, kw_only=True)
class TelemetrySettings(Settings):
    """Where events wait for the service."""

    gateway_spool: Annotated[
        str, Meta(description="of the gateway: folder where events wait for the service, without content; none: memory")
    ] = ""

    @property
    def spool(self) -> Path | None:
        return Path(self.gateway_spool) if self.gateway_spool else None
