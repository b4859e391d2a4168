"""Settings of a gateway: the service that it asks, and the keys that the operator keeps for tenants."""

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from ingest.knowledge.gateway_keys import GatewayKeySettings


@dataclass(frozen=True, kw_only=True)
class AdmissionSettings(GatewayKeySettings):
    """Who may, and for how long without the service."""

    gateway_service_url: Annotated[
        str, Meta(description="of the gateway: the service that it asks and reports to, https://host")
    ] = "http://127.0.0.1:8080"
    gateway_service_ca_file: Annotated[
        str, Meta(description="of the gateway: certificates that may sign the service's, PEM; none: the system's")
    ] = ""
    gateway_grace_s: Annotated[
        int, Meta(ge=10, le=86_400, description="seconds that a gateway goes on without the service's answer")
    ] = 300
    gateway_provider_keys: Annotated[
        str, Meta(description="of the gateway: folder of providers' keys kept for tenants, <tenant id>-<provider>")
    ] = ""
