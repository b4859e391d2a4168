"""Salted digests by which an order's subject is known again: after a restore its numbers may stand for others."""

import hashlib
import hmac
import secrets
from datetime import UTC, datetime

from msgspec import UNSET

from ingest.rights.receipts.documents import Salt, Sha256, Subject

_SALT_BYTES = 32


def subject(tenant_id: int, created_at: datetime, word: tuple[str, str] | None) -> Subject:
    """Return the digests of a tenant and, for the scope of a tag, of its key and value.

    A tenant is known by its number and its creation, and not by its name, which an operator may correct.
    """
    salt = secrets.token_hex(_SALT_BYTES)
    return Subject(
        salt=salt,
        tenant=_of_tenant(salt, tenant_id, created_at),
        key=UNSET if word is None else _of_key(salt, word[0]),
        word=UNSET if word is None else _of_word(salt, word[1]),
    )


def is_tenant(known: Subject, tenant_id: int, created_at: datetime) -> bool:
    """Return whether this is the tenant of an order."""
    return hmac.compare_digest(known.tenant, _of_tenant(known.salt, tenant_id, created_at))


def is_key(known: Subject, key: str) -> bool:
    """Return whether this is the tag key of an order."""
    return known.key is not UNSET and hmac.compare_digest(known.key, _of_key(known.salt, key))


def is_word(known: Subject, word: tuple[str, str]) -> bool:
    """Return whether this is the tag key and value of an order."""
    is_value = known.word is not UNSET and hmac.compare_digest(known.word, _of_word(known.salt, word[1]))
    return is_value and is_key(known, word[0])


def _of_tenant(salt: Salt, tenant_id: int, created_at: datetime) -> Sha256:
    at = created_at.astimezone(UTC).isoformat(timespec="microseconds")
    return _digest(salt, f"tenant\0{tenant_id}\0{at}")


def _of_key(salt: Salt, key: str) -> Sha256:
    return _digest(salt, f"key\0{key}")  # No word has a NUL.


def _of_word(salt: Salt, word: str) -> Sha256:
    return _digest(salt, word)  # As in `store.erased_words`.


def _digest(salt: Salt, text: str) -> Sha256:
    return hmac.digest(bytes.fromhex(salt), text.encode(), hashlib.sha256).hex()
