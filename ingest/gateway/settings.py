"""Settings of the gateway; those of its packages are declared there, and gathered here."""

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from ingest.config import Address, Settings
from ingest.gateway.admission.settings import AdmissionSettings
from ingest.gateway.confine.settings import ConfineSettings
from ingest.gateway.telemetry.settings import TelemetrySettings
from ingest.gateway.upstream.settings import UpstreamSettings
from ingest.serving.settings import WorkerSettings


@dataclass(frozen=True, kw_only=True)
class DoorSettings(Settings):
    """Where clients come in, and how much they may bring."""

    gateway_bind: Annotated[Address, Meta(description="where the gateway listens, host:port")] = "127.0.0.1:8090"
    gateway_metrics_bind: Annotated[Address, Meta(description="where the gateway's /metrics listens, host:port")] = (
        "127.0.0.1:9466"
    )
    gateway_body_bytes_max: Annotated[
        int, Meta(ge=67_108_864, le=68_719_476_736, description="memory of a worker for the bodies of all requests")
    ] = 268_435_456
    gateway_drain_s: Annotated[
        int, Meta(ge=1, le=3_600, description="seconds that a stop waits for answers under way")
    ] = 600


@dataclass(frozen=True, kw_only=True)
class GatewaySettings(DoorSettings, AdmissionSettings, ConfineSettings, TelemetrySettings, UpstreamSettings):
    """Those of a gateway alone."""


@dataclass(frozen=True, kw_only=True)
class ProcessSettings(GatewaySettings, WorkerSettings):
    """What a gateway's processes read."""
