"""People and their sessions for tests, without a password: hashing takes longer than the rest."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple
from uuid import UUID

from ingest.accounts.keys import Keys
from ingest.accounts.roles import Role
from ingest.accounts.sessions import Cookie
from ingest.store import connections, tenants
from ingest.store.accounts import people, sessions
from ingest.store.accounts.people import NewPerson
from ingest.store.accounts.sessions import NewSession
from ingest.store.connections import Connection

KEYS = Keys.make()


class Member(NamedTuple):
    """A person with an open session."""

    tenant_id: int
    person_id: UUID
    email: str
    cookie: Cookie


def connecting(dsn: str) -> Callable[[], AbstractAsyncContextManager[Connection]]:
    """Return what opens connections of the console's role."""
    return lambda: connections.connected(dsn, "nocontent_console")


async def member(dsn: str, tenant: str = "acme", role: Role = "owner", keys: Keys = KEYS) -> Member:
    """Add a person of a role to a tenant, which is added if need be, and open a session."""
    email = f"{role}@{tenant}.example.com"
    async with connections.connected(dsn, "nocontent_control") as control:
        tenant_id = await tenants.add(control, tenant)
        person_id = await people.add(control, tenant_id, NewPerson(email, f"The {role}", role))
    return Member(tenant_id, person_id, email, await signed_in(dsn, tenant_id, person_id, keys))


async def signed_in(dsn: str, tenant_id: int, person_id: UUID, keys: Keys = KEYS) -> Cookie:
    """Open another session of a person, and return its cookie."""
    cookie = Cookie.make(keys)
    async with connections.connected(dsn, "nocontent_console") as console:
        new = NewSession(cookie.digest, "other", awaits_totp=False)
        assert await sessions.open_session(console, tenant_id, person_id, new)
    return cookie
