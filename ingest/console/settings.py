"""Settings of the console."""

import ipaddress
import re
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from msgspec import Meta

from ingest.accounts.settings import AccountSettings
from ingest.config import Address, Settings
from ingest.rights.receipts.settings import ReceiptSettings
from ingest.store.database import DatabaseSettings

_ORIGIN = re.compile(r"(https?)://(\[[0-9a-f:.]+\]|[a-z0-9.-]{1,253})(:[0-9]{1,5})?/?")


def origin(url: str) -> str:
    """Return the origin of the URL that people type, or raise ValueError; plain HTTP only on this machine.

    Browsers accept a cookie that is `Secure` from a loopback address without TLS, and from no other.
    """
    found = _ORIGIN.fullmatch(url)
    if found is None:
        raise ValueError
    if found[1] == "http" and not is_loopback(urlsplit(url).hostname or ""):
        raise ValueError
    return url.removesuffix("/")


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine, by its own name for itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@dataclass(frozen=True, kw_only=True)
class ConsoleSettings(Settings):
    """Addresses of the console, and whether it counts its pages."""

    console_bind: Annotated[Address, Meta(description="where the console listens, host:port")] = "127.0.0.1:8480"
    console_metrics_bind: Annotated[Address, Meta(description="where the console's /metrics listens, host:port")] = (
        "127.0.0.1:9465"
    )
    console_url: Annotated[
        str,
        Meta(
            description="the console's origin in browsers, https://host, or http:// for a loopback address alone",
            extra={"check": origin},
        ),
    ] = "http://127.0.0.1:8480"
    proof_report: Annotated[
        str | None, Meta(description="the report.json of `nocontent prove --report-dir` that the console shows")
    ] = None
    console_proxies: Annotated[
        int, Meta(ge=0, le=4, description="proxies in front, each of which adds the sender to X-Forwarded-For")
    ] = 0
    page_counts: Annotated[bool, Meta(description="count views of the console's pages by day, and nothing else")] = True


@dataclass(frozen=True, kw_only=True)
class WorkerSettings(AccountSettings, ConsoleSettings, DatabaseSettings, ReceiptSettings):
    """What a worker of the console reads."""
