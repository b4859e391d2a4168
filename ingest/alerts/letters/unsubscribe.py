"""Links that unsubscribe without a session: who, and from which letters, signed by a key of their own.

A token holds a tenant's number, a person's id and the group, and opens nothing else. It works as long as its key does.
"""

import binascii
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import NamedTuple
from uuid import UUID

from ingest.knowledge.keys import Keys
from ingest.store.mail.kinds import DECLINABLE, Declinable

PATH = "/unsubscribe/"
_PURPOSE = "unsubscribe"
_BODY_BYTES, _MAC_BYTES = 4 + 16 + 1, 16
_TOKEN_BYTES = 4 + _BODY_BYTES + _MAC_BYTES


class Subscription(NamedTuple):
    """The letters of a group to a person; the order of groups is part of every token."""

    tenant_id: int
    person_id: UUID
    group: Declinable


def url(origin: str, keys: Keys, wanted: Subscription) -> str:
    """Return the link that ends a subscription."""
    return f"{origin}{PATH}{token(keys, wanted)}"


def token(keys: Keys, wanted: Subscription) -> str:
    """Return a token, signed by the first key."""
    body = wanted.tenant_id.to_bytes(4, "big") + wanted.person_id.bytes + bytes([DECLINABLE.index(wanted.group)])
    signed = bytes.fromhex(keys.first.key_id) + body + keys.first.sign(_PURPOSE, body)[:_MAC_BYTES]
    return urlsafe_b64encode(signed).rstrip(b"=").decode()


def read(keys: Keys, given: str) -> Subscription | None:
    """Return what a token is for, or None if it was not made by one of the keys."""
    try:
        signed = urlsafe_b64decode(given + "=" * (-len(given) % 4))
    except (binascii.Error, ValueError):  # ValueError: a character that is not ASCII.
        return None
    if len(signed) != _TOKEN_BYTES or urlsafe_b64encode(signed).rstrip(b"=").decode() != given:
        return None
    key, body, mac = keys.find(signed[:4].hex()), signed[4 : 4 + _BODY_BYTES], signed[4 + _BODY_BYTES :]
    if key is None or not hmac.compare_digest(key.sign(_PURPOSE, body)[:_MAC_BYTES], mac):
        return None
    if body[20] >= len(DECLINABLE):
        return None
    return Subscription(int.from_bytes(body[:4], "big"), UUID(bytes=body[4:20]), DECLINABLE[body[20]])
