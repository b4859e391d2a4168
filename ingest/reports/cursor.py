"""Cursors: the key of the last row of a page, bound to its question.

A forged one is refused if it has no such form. One that has it, is a key of the tenant's own answer, and reads nothing
that the question itself would not.
"""

import binascii
import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from ingest.reports.errors import CursorInvalid
from ingest.reports.query import Question
from ingest.store.usage.reads import Key

_Id = Annotated[int, Meta(ge=0, le=32_767)]
_Place = tuple[bytes, int, Annotated[list[_Id], Meta(max_length=3)]]
_CHECK_BYTES = 8
_decoder = msgspec.msgpack.Decoder(_Place, strict=True)


def write(question: Question, key: Key) -> str:
    """Return the cursor to the rows after a key."""
    place = (_check(question), int(key.at.timestamp()), list(key.ids))
    return urlsafe_b64encode(msgspec.msgpack.encode(place)).decode().rstrip("=")


def read(question: Question, text: str | None) -> Key | None:
    """Return the key of a cursor for the same question; raises CursorInvalid."""
    if text is None:
        return None
    try:
        check, seconds, ids = _decoder.decode(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, msgspec.MsgspecError):
        raise CursorInvalid("cursor") from None
    # A month may have begun before the range.
    earliest = question.since.replace(day=1, hour=0).timestamp()
    if check != _check(question) or len(ids) != len(question.dimensions):
        raise CursorInvalid("cursor")
    if not earliest <= seconds < question.before.timestamp():
        raise CursorInvalid("cursor")
    return Key(datetime.fromtimestamp(seconds, UTC), tuple(ids))


def _check(question: Question) -> bytes:
    asked = (question.since.isoformat(), question.before.isoformat(), question.granularity, *question.group_by)
    return hashlib.sha256("\n".join(asked).encode()).digest()[:_CHECK_BYTES]
