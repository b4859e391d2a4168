"""Salted digests by which an order's subject is known again: after a restore its numbers may stand for others."""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime

from msgspec import UNSET

from ingest.rights.receipts.documents import Salt, Sha256, Subject

_SALT_BYTES = 16


def subject(tenant_id: int, created_at: datetime, word: tuple[str, str] | None) -> Subject:
    """Return the digests of a tenant and, for the scope of a tag, of its key and value.

    A tenant is known by its number and its creation, and not by its name, which an operator may correct.
    """
    salt = secrets.token_hex(_SALT_BYTES)
    return Subject(
        salt=salt,
        tenant=_of_tenant(salt, tenant_id, created_at),
        word=UNSET if word is None else _digest(salt, ("word", *word)),
    )


def is_tenant(known: Subject, tenant_id: int, created_at: datetime) -> bool:
    """Return whether this is the tenant of an order."""
    return hmac.compare_digest(known.tenant, _of_tenant(known.salt, tenant_id, created_at))


def is_word(known: Subject, word: tuple[str, str]) -> bool:
    """Return whether this is the key and value of an order."""
    return known.word is not UNSET and hmac.compare_digest(known.word, _digest(known.salt, ("word", *word)))


def _of_tenant(salt: Salt, tenant_id: int, created_at: datetime) -> Sha256:
    return _digest(salt, ("tenant", str(tenant_id), created_at.astimezone(UTC).isoformat(timespec="microseconds")))


def _digest(salt: Salt, parts: Sequence[str]) -> Sha256:
    """Return the HMAC-SHA256 of parts, none of which has a NUL."""
    return hmac.new(bytes.fromhex(salt), "\0".join(parts).encode(), hashlib.sha256).hexdigest()
