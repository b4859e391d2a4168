"""Public keys of receipts, as a JSON Web Key Set (RFC 7517, RFC 8037). Needs no library of cryptography."""

import base64
import hashlib
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from ingest.errors import CannotStart
from ingest.rights.receipts.canonical import KeyId

KEYS_MAX = 100
_BYTES_MAX = 65_536
_PUBLIC_BYTES = 32
_X = r"\A[A-Za-z0-9_-]{43}\Z"


class PublicKey(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An Ed25519 public key. A private one has a `d`, which is an unknown field here."""

    kty: Literal["OKP"] = "OKP"
    crv: Literal["Ed25519"] = "Ed25519"
    alg: Literal["EdDSA"] = "EdDSA"
    use: Literal["sig"] = "sig"
    kid: KeyId
    x: Annotated[str, Meta(pattern=_X, description="The 32 bytes of the key, base64url.")]

    def __post_init__(self) -> None:
        if of_bytes(self.raw()) != (self.kid, self.x):
            raise ValueError

    def raw(self) -> bytes:
        """Return the 32 bytes of the key."""
        return base64.urlsafe_b64decode(self.x + "=")


class KeySet(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The keys whose signatures are ours: the current one and those before it."""

    keys: Annotated[tuple[PublicKey, ...], Meta(max_length=KEYS_MAX)] = ()

    def find(self, key_id: str) -> PublicKey | None:
        return next((key for key in self.keys if key.kid == key_id), None)

    def with_key(self, key: PublicKey) -> "KeySet":
        """Return the set with one more key."""
        return self if key in self.keys else KeySet(keys=(*self.keys, key))


_decoder = msgspec.json.Decoder(KeySet)
_encoder = msgspec.json.Encoder(order="sorted")


def of_bytes(raw: bytes) -> tuple[str, str]:
    """Return the id and the text of a public key: the id is the first 8 bytes of its SHA-256."""
    return hashlib.sha256(raw).digest()[:8].hex(), base64.urlsafe_b64encode(raw).decode("ascii").rstrip("=")


def public_key(raw: bytes) -> PublicKey:
    """Return a public key of 32 bytes."""
    assert len(raw) == _PUBLIC_BYTES
    kid, x = of_bytes(raw)
    return PublicKey(kid=kid, x=x)


def encode(keys: KeySet) -> bytes:
    """Return the bytes of a file with these keys, which is also what is published."""
    return msgspec.json.format(_encoder.encode(keys), indent=2) + b"\n"


def decode(raw: bytes) -> KeySet:
    """Read a set of keys; raises ValueError without their text."""
    try:
        return _decoder.decode(raw)
    except (msgspec.MsgspecError, RecursionError):  # Its message quotes the file.
        raise ValueError from None


def read(setting: str, path: str) -> KeySet:
    """Read the file of public keys, or return none if no file is named; raises CannotStart, which names the setting."""
    if not path:
        return KeySet()
    try:
        with Path(path).open("rb") as file:
            raw = file.read(_BYTES_MAX + 1)
    except (OSError, ValueError):  # ValueError: a NUL in the name.
        raise CannotStart(f"{setting} names a file that cannot be read.") from None
    try:
        return decode(raw)
    except ValueError:
        raise CannotStart(f"{setting} names a file that is not a set of Ed25519 public keys.") from None
