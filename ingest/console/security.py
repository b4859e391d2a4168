"""Protects pages: the headers of every answer, and the check of where a form comes from."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from ingest.accounts.settings import is_loopback
from ingest.console.errors import CrossOrigin
from ingest.serving.application import Headers

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
PAGE_HEADERS: Headers = [
    (b"cache-control", b"no-store"),
    (b"content-security-policy", POLICY.encode()),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
]
_SAFE = {"GET", "HEAD"}


def require_same_origin(method: str, headers: Mapping[str, str], origin: str) -> None:
    """Raise CrossOrigin unless a request is safe or comes from a page of this console.

    Browsers tell in Sec-Fetch-Site; those that do not, in Origin. What tells neither is no browser with a session.
    """
    if method in _SAFE:
        return
    site = headers.get("sec-fetch-site")
    if site is not None:
        if site != "same-origin":
            raise CrossOrigin
        return
    given = headers.get("origin")
    if given is None or not (given == origin or _are_both_loopback(given, origin)):
        raise CrossOrigin


def _are_both_loopback(given: str, origin: str) -> bool:
    """Return whether both are this machine by plain HTTP on one port, under two of its names."""
    ours, theirs = urlsplit(origin), _split(given)
    return (
        theirs is not None
        and ours.scheme == theirs[0] == "http"
        and ours.port == theirs[2]
        and is_loopback(ours.hostname or "")
        and is_loopback(theirs[1])
    )


def _split(given: str) -> tuple[str, str, int | None] | None:
    try:
        found = urlsplit(given)
        port = found.port
    except ValueError:  # A port that is no number, a bracket without its other.
        return None
    return found.scheme, found.hostname or "", port
