"""Settings of a worker that accepts events."""

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from ingest.knowledge.gateway_keys import GatewayKeySettings
from ingest.store.database import DatabaseSettings
from schema import limits


@dataclass(frozen=True, kw_only=True)
class IntakeSettings(DatabaseSettings, GatewayKeySettings):
    """Settings of writing and retention."""

    writer_connections: Annotated[int, Meta(ge=1, le=4, description="of each process")] = 1
    retention_days: Annotated[
        Annotated[int, Meta(ge=1, le=limits.RETENTION_DAYS_MAX)] | None,
        Meta(description="days that a new database keeps, 1 to 400, or 30; then `nocontent retention set`"),
    ] = None
    maintain: Annotated[bool, Meta(description="keep partitions from inside the service")] = True
