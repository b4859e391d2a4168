"""Settings of a service on this machine that brings its own PostgreSQL."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from msgspec import Meta

from ingest.accounts.settings import AccountSettings
from ingest.console.settings import ConsoleSettings
from ingest.gateway.settings import GatewaySettings
from ingest.intake.settings import IntakeSettings
from ingest.serving.settings import ServingSettings
from ingest.usage.settings import JobsSettings


@dataclass(frozen=True, kw_only=True)
class DemoSettings(GatewaySettings, AccountSettings, ConsoleSettings, IntakeSettings, JobsSettings, ServingSettings):
    """Those of `serve`, `console` and `gateway`, which `demo` and `prove --local` start, and one of their own."""

    LISTED: ClassVar[tuple[str, ...]] = (
        "dsn", "bind", "metrics_bind", "tls_cert_file", "tls_key_file", "keep_alive_s", "workers",
        "writer_connections", "drain_s", "retention_days", "maintain", "jobs", "data_dir",
    )  # fmt: skip
    data_dir: Annotated[str, Meta(description="where `demo` keeps its own PostgreSQL")] = ".nocontent"
