"""The cookie of a session, the token of its forms, and the session itself, which is read on every request."""

import hmac
import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import cast
from uuid import UUID

from ingest.accounts.person import Person
from ingest.accounts.roles import Role
from ingest.knowledge.keys import Keys
from ingest.store.accounts import sessions
from ingest.store.connections import Connection

COOKIE_NAME = "__Host-nocontent"
COOKIE_ATTRIBUTES = "Secure; HttpOnly; SameSite=Lax; Path=/"
IDLE_S_MAX = 12 * 3_600  # The database has these times, too: migration 0030.
AGE_S_MAX = 14 * 86_400
PENDING_S_MAX = 600
_FORMAT = re.compile(r"v1\.([0-9a-f]{8})\.([A-Za-z0-9_-]{43})\.([A-Za-z0-9_-]{43})", re.ASCII)
_COOKIE_CHARS_MAX = 128
_BROWSERS = (("edge", "Edg/"), ("firefox", "Firefox/"), ("chrome", "Chrome/"), ("safari", "Safari/"))

# Lends a connection as nocontent_console for the block; raises Unavailable.
Connect = Callable[[], AbstractAsyncContextManager[Connection]]


@dataclass(frozen=True, slots=True)
class Cookie:
    """A new session's cookie: its value, which only the browser keeps, and the digest that the database has."""

    value: str = field(repr=False)
    digest: bytes = field(repr=False)

    @classmethod
    def make(cls, keys: Keys) -> "Cookie":
        key, raw = keys.first, secrets.token_bytes(32)
        parts = (key.key_id, _text(raw), _text(key.sign("session", raw)))
        return cls(f"v1.{'.'.join(parts)}", sha256(raw).digest())

    @staticmethod
    def read(keys: Keys, value: str) -> bytes | None:
        """Return the digest of the session that a cookie names, or None if no key of ours has signed it."""
        match = _FORMAT.fullmatch(value) if len(value) <= _COOKIE_CHARS_MAX else None
        key = keys.find(match[1]) if match else None
        if match is None or key is None:
            return None
        raw = urlsafe_b64decode(f"{match[2]}=")
        return sha256(raw).digest() if hmac.compare_digest(_text(key.sign("session", raw)), match[3]) else None

    def header(self, age_s_max: int = AGE_S_MAX) -> str:
        """Return the value of Set-Cookie."""
        return f"{COOKIE_NAME}={self.value}; Max-Age={age_s_max}; {COOKIE_ATTRIBUTES}"


GONE = f"{COOKIE_NAME}=; Max-Age=0; {COOKIE_ATTRIBUTES}"  # Set-Cookie that ends it in the browser.


@dataclass(frozen=True, slots=True)
class Session:
    """A session that is good, with its person; `digest` is what a transaction names."""

    person: Person
    session_id: UUID
    digest: bytes = field(repr=False)
    confirmed_at: datetime
    has_totp: bool

    def form_token(self, keys: Keys) -> str:
        """Return the token that every form of the session carries."""
        return _text(keys.first.sign("form", self.digest))

    def has_form_token(self, keys: Keys, token: str) -> bool:
        """Return whether a form came from a page of this session."""
        given = token.encode("utf-8", "replace")
        return any(hmac.compare_digest(_text(key.sign("form", self.digest)).encode(), given) for key in keys.own)


async def find(connection: Connection, keys: Keys, value: str | None) -> Session | None:
    """Return the session of a cookie's value if it is good, by one look-up, and note now and then that it is in use."""
    digest = Cookie.read(keys, value) if value else None
    row = await sessions.read(connection, digest) if digest else None
    if digest is None or row is None:
        return None
    if row.is_stale:
        await sessions.touch(connection, digest)
    person = Person(*row[:5], cast("Role", row.role), row.time_zone)
    return Session(person, row.session_id, digest, row.confirmed_at, row.has_totp)


def browser_of(user_agent: str) -> str:
    """Return the kind of browser, of a closed list: nothing else of the header is kept."""
    return next((name for name, mark in _BROWSERS if mark in user_agent), "other")


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()
