"""Verifies the signature of Stripe's webhooks: HMAC-SHA256 over time and body, within a window."""

import hmac
import re
from collections.abc import Sequence
from hashlib import sha256

from ingest.usage.processor.secret_files import Secret

WINDOW_S = 300
HEADER_LENGTH_MAX = 4_096
SIGNATURES_MAX = 16
_TIME = re.compile(r"[0-9]{1,12}", re.ASCII)
_SIGNATURE = re.compile(r"[0-9a-f]{64}", re.ASCII)


def is_valid(header: str, body: bytes, secrets: Sequence[Secret], now: float) -> bool:
    """Return whether a header has a signature of the body by one of the secrets, and a time within the window."""
    if len(header) > HEADER_LENGTH_MAX:
        return False
    parts = [part.partition("=") for part in header.split(",")]
    times = [value for name, _, value in parts if name.strip() == "t"]
    given = [value for name, _, value in parts if name.strip() == "v1" and _SIGNATURE.fullmatch(value)]
    if len(times) != 1 or not _TIME.fullmatch(times[0]) or len(given) > SIGNATURES_MAX:
        return False
    if abs(now - int(times[0])) > WINDOW_S:
        return False
    signed = times[0].encode() + b"." + body
    wanted = [hmac.new(secret.reveal().encode(), signed, sha256).hexdigest() for secret in secrets]
    # Every pair is compared, so that the time says nothing about which secret it was.
    return any([hmac.compare_digest(one, other) for one in wanted for other in given])  # noqa: C419 (see above)
