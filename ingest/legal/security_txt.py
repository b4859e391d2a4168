"""Writes /.well-known/security.txt (RFC 9116): to whom a vulnerability is reported, and until when that holds."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from ingest.legal import claims

PATH = "/.well-known/security.txt"
POLICY_PATH = "/security"
MEDIA_TYPE = "text/plain; charset=utf-8"
VALID = timedelta(days=330)  # The RFC advises less than a year.


def expires_at() -> datetime:
    """Return until when the file holds: so long after the last recorded run of the tests of this build.

    A build that nobody tests and publishes again expires, and a restart does not make it younger.
    """
    return max(run.at for run in claims.runs().values()) + VALID


def render(contact: str, origin: str) -> str:
    """Return the file for a contact, which is a URI, and the console's origin."""
    return "".join(f"{name}: {value}\n" for name, value in _fields(contact, origin))


def _fields(contact: str, origin: str) -> Iterator[tuple[str, str]]:
    yield "Contact", contact
    yield "Expires", f"{expires_at():%Y-%m-%dT%H:%M:%SZ}"
    if origin.startswith("https://"):  # The RFC takes no other web address, and this machine's own may have none.
        yield "Canonical", origin + PATH
        yield "Policy", origin + POLICY_PATH
    yield "Preferred-Languages", "en"
