"""Ed25519: makes keys, signs documents, and verifies them. The only importer of `cryptography`."""

import os
import stat
from pathlib import Path
from typing import TypeVar

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ingest.errors import CannotStart
from ingest.rights.receipts import canonical, keys
from ingest.rights.receipts.canonical import Signed
from ingest.rights.receipts.documents import Document, Order, Receipt
from ingest.rights.receipts.errors import InvalidReceipt
from ingest.rights.receipts.keys import KeySet, PublicKey

_BYTES_MAX = 4_096
_OTHERS = stat.S_IROTH | stat.S_IWOTH | stat.S_IXOTH
_Kind = TypeVar("_Kind", Order, Receipt)


class SigningKey:
    """A private key; it appears in no `repr`, error, log line or pickle."""

    __slots__ = ("_key", "public")

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public: PublicKey = keys.public_key(key.public_key().public_bytes_raw())

    def __repr__(self) -> str:
        return f"SigningKey({self.public.kid})"

    def __reduce__(self) -> str:
        raise TypeError("A private key is not pickled.")

    def sign(self, message: bytes) -> str:
        """Return the signature of a message, the same each time."""
        return self._key.sign(message).hex()

    def pem(self) -> bytes:
        """Return the key as PKCS #8 in PEM, unencrypted, for its file."""
        form = serialization.PrivateFormat.PKCS8
        return self._key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def generate() -> SigningKey:
    """Make a key."""
    return SigningKey(Ed25519PrivateKey.generate())


def read_key(setting: str, path: str) -> SigningKey:
    """Read a private key from its file; raises CannotStart, which names the setting and neither path nor content."""
    try:
        with Path(path).open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            raw = file.read(_BYTES_MAX)
    except (OSError, ValueError):  # ValueError: a NUL in the name.
        raise CannotStart(f"{setting} names a file that cannot be read.") from None
    if mode & _OTHERS:
        raise CannotStart(f"{setting} names a file that other users may read: chmod o-rwx.")
    try:
        key = serialization.load_pem_private_key(raw, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # TypeError: it is encrypted.
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise CannotStart(
            f"{setting} names a file that is not an Ed25519 private key in PEM: `nocontent receipt keygen`."
        )
    return SigningKey(key)


def public_of_pem(raw: bytes) -> PublicKey:
    """Read a public key in PEM; raises ValueError without its text."""
    try:
        key = serialization.load_pem_public_key(raw)
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError from None
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError  # noqa: TRY004 (of a key, not of a call)
    return keys.public_key(key.public_bytes_raw())


def sign(document: Document, key: SigningKey) -> bytes:
    """Return the bytes of a signed document's file: the same each time, for the same document and key."""
    signature = key.sign(canonical.to_sign(document, key.public.kid))
    return canonical.encode(Signed(document=document, key_id=key.public.kid, signature=signature))


def verify(raw: bytes, known: KeySet) -> Document:
    """Return the document of a file that one of the keys has signed; raises InvalidReceipt."""
    signed = canonical.decode(raw)
    key = known.find(signed.key_id)
    if key is None:
        raise InvalidReceipt("receipt.unknown-key")
    message = canonical.to_sign(signed.document, signed.key_id)
    try:
        Ed25519PublicKey.from_public_bytes(key.raw()).verify(bytes.fromhex(signed.signature), message)
    except InvalidSignature:
        raise InvalidReceipt("receipt.bad-signature") from None
    return signed.document


def verify_as(raw: bytes, known: KeySet, kind: type[_Kind]) -> _Kind:
    """As `verify`, for a document of one kind."""
    document = verify(raw, known)
    if not isinstance(document, kind):
        raise InvalidReceipt("receipt.wrong-kind")
    return document
