"""Links that work once: an invitation for 7 days, a reset for 30 minutes, a sign-in of `make run` for 10."""

import re
import secrets
from dataclasses import dataclass, field
from hashlib import sha256
from typing import NamedTuple, cast

from ingest.accounts.person import Person
from ingest.accounts.roles import Role
from ingest.store.accounts import links
from ingest.store.accounts.people import LinkKind
from ingest.store.connections import Connection

PATH = "/link/"
_FORMAT = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Link:
    """A new link: the secret that is in it, and the digest that the database has."""

    secret: str = field(repr=False)
    digest: bytes = field(repr=False)

    @classmethod
    def make(cls) -> "Link":
        secret = secrets.token_urlsafe(32)
        return cls(secret, sha256(secret.encode()).digest())

    def url(self, origin: str) -> str:
        return f"{origin.rstrip('/')}{PATH}{self.secret}"


class Linked(NamedTuple):
    """A link that still works: what it is for, and whom."""

    kind: LinkKind
    person: Person


def digest_of(secret: str) -> bytes | None:
    """Return the digest of a link's secret, or None if the string does not have the form of one."""
    return sha256(secret.encode()).digest() if _FORMAT.fullmatch(secret) else None


async def find(connection: Connection, secret: str) -> Linked | None:
    """Return what a link is for, without using it up: programs that scan mail open every link."""
    digest = digest_of(secret)
    row = await links.find(connection, digest) if digest else None
    if row is None:
        return None
    return Linked(cast("LinkKind", row.kind), Person(*row[1:6], cast("Role", row.role), row.time_zone))
