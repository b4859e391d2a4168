"""Settings of the way to the providers."""

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from ingest.config import PREFIX, Settings
from ingest.errors import CannotStart
from ingest.gateway.upstream.origin import Origin, is_url


def _check(url: str) -> None:
    if not is_url(url):
        raise ValueError


Url = Annotated[str, Meta(extra={"check": _check})]


@dataclass(frozen=True, kw_only=True)
class UpstreamSettings(Settings):
    """Where the providers are, how long they may take, and how many requests may be under way."""

    gateway_anthropic_url: Annotated[
        Url, Meta(description="base URL of Anthropic, or of another server that speaks its Messages API, without /v1")
    ] = "https://api.anthropic.com"
    gateway_openai_url: Annotated[
        str,
        Meta(
            description="base URL of a server that speaks OpenAI's chat completions, without /v1; none: no such door",
            extra={"check": lambda url: _check(url) if url else None},
        ),
    ] = ""
    gateway_upstream_ca_file: Annotated[
        str, Meta(description="certificates of the authorities to trust, PEM; none: the system's")
    ] = ""
    gateway_upstream_plain: Annotated[
        bool, Meta(description="allow http:// to a private address or name, not only to this machine")
    ] = False
    gateway_connect_timeout_s: Annotated[
        int, Meta(ge=1, le=60, description="seconds for a connection to a provider, TLS included")
    ] = 5
    gateway_first_byte_timeout_s: Annotated[
        int, Meta(ge=1, le=3_600, description="seconds from a request to the first byte of its answer")
    ] = 600  # Models think for long, and an answer that is not streamed has its first byte at the end.
    gateway_idle_timeout_s: Annotated[
        int, Meta(ge=1, le=3_600, description="seconds without a byte, within an answer or while a request is sent")
    ] = 120
    gateway_whole_timeout_s: Annotated[
        int, Meta(ge=1, le=86_400, description="seconds from a request to the last byte of its answer")
    ] = 3_600
    gateway_concurrency: Annotated[
        int, Meta(ge=1, le=65_536, description="requests under way at once, of a worker")
    ] = 2_000
    gateway_tenant_concurrency: Annotated[
        int, Meta(ge=1, le=65_536, description="of them, of a tenant that has no bound of its own")
    ] = 200

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("gateway_anthropic_url", "gateway_openai_url"):
            url = getattr(self, name)
            if url and not Origin.of(url).may_be_reached(allows_plain=self.gateway_upstream_plain):
                raise CannotStart(
                    f"{PREFIX}{name.upper()} must be https://: http:// is for this machine and, with "
                    f"{PREFIX}GATEWAY_UPSTREAM_PLAIN=true, for a private address or name."
                )
