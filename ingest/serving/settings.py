"""Settings of every process that serves HTTP."""

import itertools
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from ingest.config import PREFIX, Address, Settings
from ingest.errors import CannotStart


@dataclass(frozen=True, kw_only=True)
class WorkerSettings(Settings):
    """TLS, number of workers and time-outs, of every kind of process."""

    tls_cert_file: Annotated[str, Meta(description="the API's certificate chain, PEM; none: plain HTTP")] = ""
    tls_key_file: Annotated[str, Meta(description="its key, PEM, not encrypted")] = ""
    keep_alive_s: Annotated[
        int, Meta(ge=1, le=3_600, description="seconds that a connection without a request is kept open")
    ] = 75  # Longer than the usual minute of load balancers, which should close first.
    workers: Annotated[int, Meta(ge=1, le=64, description="processes")] = 1
    drain_s: Annotated[int, Meta(ge=0, le=300, description="seconds between not ready and closing")] = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        for one, other in itertools.permutations(("tls_cert_file", "tls_key_file")):
            if getattr(self, one) and not getattr(self, other):
                raise CannotStart(f"{PREFIX}{one.upper()} is set, so {PREFIX}{other.upper()} must be too.")


@dataclass(frozen=True, kw_only=True)
class ServingSettings(WorkerSettings):
    """Those of `serve`, with its addresses."""

    bind: Annotated[Address, Meta(description="where the API listens, host:port, IPv6 as [::1]:8080")] = (
        "127.0.0.1:8080"
    )
    metrics_bind: Annotated[Address, Meta(description="where /metrics listens, host:port, IPv6 as [::1]:9464")] = (
        "127.0.0.1:9464"
    )
