"""Bearer tokens: `nct_<id>_<secret>`. The id is public; only the SHA-256 of the 256-bit secret is kept."""

import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple, Self

_FORMAT = re.compile(r"nct_([0-9a-f]{12})_([A-Za-z0-9_-]{43})\Z")


class Credential(NamedTuple):
    """A token as its bearer has it; `str` returns the token itself."""

    token_id: str
    secret: str

    @classmethod
    def make(cls) -> Self:
        """Return a new credential, from the operating system's randomness."""
        return cls(secrets.token_hex(6), secrets.token_urlsafe(32))  # The secret has 256 bits.

    @classmethod
    def parse(cls, token: str) -> Self | None:
        """Return the parts of a token, or None if the string does not have the form of one."""
        match = _FORMAT.match(token)
        return cls(match[1], match[2]) if match else None

    @property
    def secret_sha256(self) -> bytes:
        return sha256(self.secret.encode("ascii")).digest()

    def __str__(self) -> str:
        return f"nct_{self.token_id}_{self.secret}"


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token of a tenant, without its secret."""

    token_id: str
    tenant_id: int
    secret_sha256: bytes
    scopes: frozenset[str]
    expires_at: datetime | None
    is_revoked: bool
