"""Reads delivery status notifications (RFC 3464): which letter of ours came back, and by which class. No text is kept.

The message comes from strangers, so it is bounded, and of it only an id of ours and a digit are read.
"""

import email
import re
from collections.abc import Iterator
from email.message import Message
from email.policy import compat32
from typing import NamedTuple
from uuid import UUID

BYTES_MAX = 1_048_576
PARTS_MAX = 32
_STATUS = re.compile(r"\s*([245])\.\d{1,3}\.\d{1,3}\b")
_ID = re.compile(r"<([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})@([a-z0-9.-]{1,253})>")
_RETURNED = ("message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers")
_FAILED = "failed"


class Bounce(NamedTuple):
    """A letter that came back, and the class of its status: 5 for good, 4 after many attempts."""

    letter_id: UUID
    reply_class: int


def read(message: bytes, domain: str) -> Bounce | None:
    """Return what a notification says about a letter from our domain, or None if it says nothing we can use.

    Reports of delays and deliveries are no bounces.
    """
    # The parser compares each line with the boundary of each multipart that is open.
    if len(message) > BYTES_MAX or message.lower().count(b"boundary") > PARTS_MAX:
        return None
    try:
        parts = list(_parts(email.message_from_bytes(message, policy=compat32)))
    except RecursionError:  # A message in a message in a message, and so on.
        return None
    classes = {digit for part in parts if (digit := _class(part)) is not None}
    ids = {found for part in parts if (found := _letter(part, domain)) is not None}
    if len(ids) != 1 or not classes:
        return None
    return Bounce(ids.pop(), max(classes))


def _parts(message: Message) -> Iterator[Message]:
    """Yield the message and what is in it, as far as that goes."""
    waiting = [message]
    for _ in range(PARTS_MAX):
        if not waiting:
            return
        part = waiting.pop(0)
        yield part
        inner = part.get_payload()
        if isinstance(inner, list):
            waiting += [each for each in inner if isinstance(each, Message)]


def _class(part: Message) -> int | None:
    """Return the class of the fields about a recipient to whom delivery failed."""
    if str(part.get("Action", "")).strip().lower() != _FAILED:
        return None
    found = _STATUS.match(str(part.get("Status", "")))
    return int(found[1]) if found and found[1] != "2" else None


def _letter(part: Message, domain: str) -> UUID | None:
    """Return our id of the letter that is in a report, whole or by its head."""
    if part.get_content_type() in _RETURNED and not part.is_multipart():
        inner = part.get_payload(decode=True)
        head = inner[:BYTES_MAX].decode("latin-1") if isinstance(inner, bytes) else ""
        part = email.message_from_string(head.partition("\n\n")[0], policy=compat32)
    found = _ID.fullmatch(str(part.get("Message-ID", "")).strip())
    return UUID(found[1]) if found and found[2] == domain else None
