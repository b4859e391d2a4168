"""People and their sessions for tests, without a password: hashing takes longer than the rest."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import NamedTuple
from uuid import UUID

import pyotp

from ingest.accounts import own, signing_in, totp
from ingest.accounts.links import Link
from ingest.accounts.roles import Role
from ingest.accounts.sessions import Cookie, Session, find
from ingest.accounts.signing_in import Accounts, Credentials, SignedIn, Visitor
from ingest.knowledge.keys import Keys
from ingest.store import connections, tenants
from ingest.store.accounts import people, sessions
from ingest.store.accounts.people import LinkKind, NewPerson
from ingest.store.accounts.sessions import NewSession
from ingest.store.connections import Connection
from ingest.store.idle_connections import IdleConnections
from tests.support.cluster import operator

KEYS = Keys.make()
PASSWORD = "tangerine lantern 9"

VISITOR = Visitor("203.0.113.9", "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0")


class Member(NamedTuple):
    """A person with an open session."""

    tenant: str
    tenant_id: int
    person_id: UUID
    email: str
    cookie: Cookie


class Lender:
    """Lends connections of the console's role, and keeps them open for the next."""

    def __init__(self, dsn: str) -> None:
        self._idle = IdleConnections(dsn, "nocontent_console")

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Connection]:
        connection = await self._idle.take()
        try:
            yield connection
        finally:
            self._idle.give_back(connection)

    async def close(self) -> None:
        await self._idle.close()


async def member(dsn: str, tenant: str = "acme", role: Role = "owner", keys: Keys = KEYS) -> Member:
    """Add a person of a role to a tenant, which is added if need be, and open a session."""
    email = f"{role}@{tenant}.example.com"
    async with connections.connected(dsn, "nocontent_control") as control:
        tenant_id = await tenants.add(control, tenant)
        person_id = await people.add(control, tenant_id, NewPerson(email, f"The {role}", role))
    return Member(tenant, tenant_id, person_id, email, await signed_in(dsn, tenant_id, person_id, keys))


async def signed_in(dsn: str, tenant_id: int, person_id: UUID, keys: Keys = KEYS) -> Cookie:
    """Open another session of a person, and return its cookie."""
    cookie = Cookie.make(keys)
    async with connections.connected(dsn, "nocontent_console") as console:
        new = NewSession(cookie.digest, "other", awaits_totp=False)
        assert await sessions.open_session(console, tenant_id, person_id, new)
    return cookie


async def give_password(dsn: str, member: Member, password_hash: str) -> None:
    """Set a person's password as an invitation does, without hashing it; the session goes on."""
    statement = "UPDATE nocontent.people SET password_hash = $2, password_changed_at = now() WHERE person_id = $1"
    async with operator(dsn) as connection:
        await connection.execute(statement, member.person_id, password_hash)


async def sign_in(signing: Accounts, member: Member, password: str = PASSWORD, visitor: Visitor = VISITOR) -> SignedIn:
    """Sign a member in with a password."""
    return await signing_in.sign_in(signing, Credentials(member.tenant, member.email, password), visitor)


async def session_of(signing: Accounts, cookie: Cookie | str) -> Session | None:
    """Return the session of a cookie, as a request reads it."""
    value = cookie if isinstance(cookie, str) else cookie.value
    async with signing.connect() as connection:
        return await find(connection, signing.keys(), value)


async def link(dsn: str, member: Member, kind: LinkKind) -> str:
    """Make a link for a member, as an operator; return its secret."""
    made = Link.make()
    async with connections.connected(dsn, "nocontent_control") as control:
        await people.add_link(control, member.tenant_id, member.person_id, kind, made.digest)
    return made.secret


async def change(dsn: str, table: str, member: Member, columns: str) -> None:
    """Change columns of a member's rows behind everybody's back, such as a time."""
    async with operator(dsn) as connection:
        await connection.execute(f"UPDATE {table} SET {columns} WHERE person_id = $1", member.person_id)


async def with_totp(signing: Accounts, member: Member) -> tuple[pyotp.TOTP, list[str]]:
    """Ask a member for codes from now on; return the authenticator and the recovery codes."""
    session = await session_of(signing, member.cookie)
    assert session is not None
    async with signing.connect() as connection, sessions.entered(connection, session.digest):
        generator = pyotp.TOTP((await own.begin_totp(connection, session)).text)
        step = totp.step_of(generator.byte_secret(), generator.now(), int(time.time()))
        assert step is not None
        return generator, await own.confirm_totp(connection, generator.at((step - 1) * totp.STEP_S))


def recording(signing: Accounts, statements: list[str]) -> Accounts:
    """Return the same with connections that note our statements, without asyncpg's own about types."""

    @asynccontextmanager
    async def connect() -> AsyncIterator[Connection]:
        async with signing.connect() as connection:
            with connection.query_logger(
                lambda record: statements.append(record.query) if "nocontent." in record.query else None
            ):
                yield connection
                await asyncio.sleep(0)  # It notes a statement in the loop's next round.

    return replace(signing, connect=connect)
