"""Sessions of people: opened, read on every request, and ended. A session is known by the digest of its id."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from ingest.store.accounts.errors import explained
from ingest.store.connections import Connection


class SessionRow(NamedTuple):
    """A session that is good, and its person; a stale one should be touched."""

    tenant_id: int
    tenant_name: str
    person_id: UUID
    email: str
    name: str
    role: str
    time_zone: str
    session_id: UUID
    confirmed_at: datetime
    has_totp: bool
    is_stale: bool


class NewSession(NamedTuple):
    """A session to open; its place is remembered as known, and the session `instead` ends.

    `places` are digests of one network by each key in force; a link without a password has none.
    """

    digest: bytes
    browser: str
    awaits_totp: bool
    places: tuple[bytes, ...] = ()
    instead: bytes | None = None


class Pending(NamedTuple):
    """Whose code a session awaits, and what to compare it with."""

    tenant_id: int
    person_id: UUID
    secret: bytes
    places: tuple[bytes, ...]


class OwnSession(NamedTuple):
    """A session of a person, as a list shows it."""

    session_id: UUID
    browser: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime


_ENTER = "SELECT set_config('nocontent.session', $1, true)"
_READ = """
SELECT its_tenant, tenant_name, its_person, its_email, its_name, its_role, its_zone, its_session, its_confirmed_at,
    has_totp, is_stale
FROM nocontent.read_session($1) WHERE its_tenant IS NOT NULL
"""
_TOUCH = "SELECT nocontent.touch_session($1)"
_OPEN = "SELECT nocontent.begin_session($1, $2, $3, $4, $5, $6, $7)"
_PENDING = """
SELECT its_tenant, its_person, its_secret, its_places FROM nocontent.pending_sign_in($1) WHERE its_tenant IS NOT NULL
"""
_CLOSE = "SELECT nocontent.close_session($1)"
_OWN = """
SELECT session_id, browser, created_at, seen_at, expires_at FROM nocontent.sessions
WHERE tenant_id = $1 AND person_id = $2 AND NOT awaits_totp AND expires_at > now()
    AND seen_at > now() - interval '12 hours'
ORDER BY seen_at DESC
"""
_END_OWN = "SELECT nocontent.end_own_session($1)"
_END_ALL = "SELECT nocontent.end_own_sessions($1)"


async def enter(connection: Connection, digest: bytes) -> None:
    """Name the session of the transaction that is open: row security and audit lines follow it."""
    await connection.execute(_ENTER, digest.hex())


@asynccontextmanager
async def entered(connection: Connection, digest: bytes) -> AsyncIterator[Connection]:
    """Run the block as a transaction of a session."""
    async with connection.transaction():
        await enter(connection, digest)
        yield connection


async def read(connection: Connection, digest: bytes) -> SessionRow | None:
    """Return a session that is good, or None."""
    row = await connection.fetchrow(_READ, digest)
    return None if row is None else SessionRow(*row.values())


async def touch(connection: Connection, digest: bytes) -> None:
    """Note that a session is in use."""
    await connection.execute(_TOUCH, digest)


async def open_session(connection: Connection, tenant_id: int, person_id: UUID, new: NewSession) -> bool:
    """Open a session, with a letter if the place is new; return False if the person is disabled or gone by now."""
    own = (new.digest, new.browser, new.awaits_totp, new.places, new.instead)
    return bool(await connection.fetchval(_OPEN, tenant_id, person_id, *own))


async def pending(connection: Connection, digest: bytes) -> Pending | None:
    """Return whose code a session awaits, or None if it awaits none."""
    row = await connection.fetchrow(_PENDING, digest)
    return None if row is None else Pending(row[0], row[1], row[2], tuple(row[3]))


async def close(connection: Connection, digest: bytes) -> bool:
    """End a session; return whether there was one."""
    return bool(await connection.fetchval(_CLOSE, digest))


async def list_own(connection: Connection, tenant_id: int, person_id: UUID) -> list[OwnSession]:
    """Return a person's sessions, the one used last first."""
    return [OwnSession(*row.values()) for row in await connection.fetch(_OWN, tenant_id, person_id)]


async def end_own(connection: Connection, session_id: UUID) -> bool:
    """End another session of the entered session's person; return whether there was one."""
    with explained():
        return bool(await connection.fetchval(_END_OWN, session_id))


async def end_all_own(connection: Connection, *, keeps_this_one: bool) -> int:
    """End all sessions of the entered session's person, and return how many."""
    with explained():
        return int(await connection.fetchval(_END_ALL, keeps_this_one))
