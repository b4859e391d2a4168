"""Canonical JSON of signed documents (RFC 8785): each has exactly one form in bytes, and nothing else is read.

Names and strings are ASCII without escapes, and numbers are integers below 2**53, so sorted names without white space
are all of the RFC that is left.
"""

import json
import re
from functools import cache
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from ingest.rights.receipts.documents import VERSION, Document
from ingest.rights.receipts.errors import InvalidReceipt

BYTES_MAX = 1_048_576  # An order of 10,000 events has some 390 KB.
# Part of what is signed, so that a signature of ours for another purpose is none of a document.
_PURPOSE = b"nocontent-erasure-document-1\n"
_OFFSET = re.compile(rb"T[0-9:.]{8,15}[+-]")  # A time that is not in UTC.
_KINDS = ("order", "receipt")

KeyId = Annotated[str, Meta(pattern=r"\A[0-9a-f]{16}\Z")]
Signature = Annotated[str, Meta(pattern=r"\A[0-9a-f]{128}\Z")]


class Signed(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A document with its signature: the content of a file, followed by a line feed."""

    document: Document
    key_id: KeyId
    signature: Signature


_encoder = msgspec.json.Encoder(order="sorted")


class _DuplicateName(ValueError):
    pass


@cache
def _decoder() -> msgspec.json.Decoder[Signed]:
    """Return the decoder, which takes 30 ms to make: each worker imports this module and reads no document."""
    return msgspec.json.Decoder(Signed)


def to_sign(document: Document, key_id: str) -> bytes:
    """Return the bytes that are signed."""
    return _PURPOSE + key_id.encode("ascii") + b"\n" + _encode(document)


def encode(signed: Signed) -> bytes:
    """Return the bytes of the file."""
    return _encode(signed) + b"\n"


def decode(raw: bytes) -> Signed:
    """Read a file; raises InvalidReceipt. Its signature is not checked yet."""
    if len(raw) > BYTES_MAX:
        raise InvalidReceipt("receipt.too-large")
    _examine(raw)
    try:
        signed = _decoder().decode(raw)
    except msgspec.ValidationError as refused:  # Its message quotes a field's name or a value.
        is_unknown = str(refused).startswith("Object contains unknown field")
        raise InvalidReceipt("receipt.unknown-field" if is_unknown else "receipt.wrong-shape") from None
    except (msgspec.DecodeError, RecursionError):
        raise InvalidReceipt("receipt.not-json") from None
    if encode(signed) != raw or _OFFSET.search(raw):
        raise InvalidReceipt("receipt.not-canonical")
    return signed


def _encode(value: Document | Signed) -> bytes:
    return _encoder.encode(value)


def _examine(raw: bytes) -> None:
    """Look for faults that a strict decoder cannot name; raises InvalidReceipt."""
    try:
        plain = json.loads(raw.decode("ascii"), object_pairs_hook=_unique)
    except _DuplicateName:
        raise InvalidReceipt("receipt.duplicate-name") from None
    except (ValueError, RecursionError):  # Of json and of ASCII.
        raise InvalidReceipt("receipt.not-json") from None
    document = plain.get("document") if isinstance(plain, dict) else None
    if not isinstance(document, dict):
        raise InvalidReceipt("receipt.wrong-shape")
    if document.get("kind") not in _KINDS:
        raise InvalidReceipt("receipt.wrong-kind")
    version = document.get("version")
    if isinstance(version, int) and version > VERSION:
        raise InvalidReceipt("receipt.wrong-version")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _DuplicateName
    return found
