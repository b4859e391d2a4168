"""Settings of a process in which people sign in, or that sends them links to where they do."""

import ipaddress
import re
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from msgspec import Meta

from ingest.config import Settings

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
class OriginSettings(Settings):
    """The address at which people find the console."""

    console_url: Annotated[
        str,
        Meta(
            description="the console's origin in browsers, https://host, or http:// for a loopback address alone",
            extra={"check": origin},
        ),
    ] = "http://127.0.0.1:8480"


@dataclass(frozen=True, kw_only=True)
class AccountSettings(Settings):
    """Settings of sessions."""

    session_keys_file: Annotated[
        str, Meta(description="file of the keys that sign sessions, from `nocontent account keygen`")
    ] = ""
