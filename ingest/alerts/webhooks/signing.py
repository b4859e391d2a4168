"""Signs what is posted, as Standard Webhooks has it; the secret of a webhook is made of a key and its id."""

import hmac
from base64 import b64encode
from typing import NamedTuple
from uuid import UUID

from ingest.knowledge.keys import Key, Keys

_PURPOSE = "webhook"
_PREFIX = "whsec_"


class Message(NamedTuple):
    """What is signed: the id, which is the same for each attempt, the time of the attempt, and the body."""

    message_id: str
    timestamp_s: int
    body: bytes


def secret(keys: Keys, webhook_id: UUID) -> str:
    """Return the secret with which a receiver verifies; a rotation of the keys makes another."""
    return _PREFIX + b64encode(_secret(keys.first, webhook_id)).decode()


def headers(keys: Keys, webhook_id: UUID, message: Message) -> dict[str, str]:
    """Return the headers of a message, with a signature by each key: a receiver may have the secret of either."""
    signed = b".".join((message.message_id.encode(), str(message.timestamp_s).encode(), message.body))
    signatures = [b64encode(hmac.digest(_secret(key, webhook_id), signed, "sha256")).decode() for key in keys.own]
    return {
        "webhook-id": message.message_id,
        "webhook-timestamp": str(message.timestamp_s),
        "webhook-signature": " ".join(f"v1,{each}" for each in signatures),
    }


def _secret(key: Key, webhook_id: UUID) -> bytes:
    return key.sign(_PURPOSE, webhook_id.bytes)
