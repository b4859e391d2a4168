"""An operator's acts on readers: which logins read which tenants. A login's role decides what it may call at all.

No worker needs to know of readers, so these acts take no revision.
"""

import asyncpg

from ingest.errors import CannotStart
from ingest.store import names
from ingest.store.audit import Audit
from ingest.store.connections import Connection

_ADD = "INSERT INTO readers (tenant_id, login) VALUES ($1, $2) ON CONFLICT DO NOTHING"
_REMOVE = "DELETE FROM readers WHERE tenant_id = $1 AND login = $2"
_LIST = """
SELECT name, login, reader.created_at FROM readers reader JOIN tenants tenant USING (tenant_id)
WHERE $1::integer IS NULL OR tenant_id = $1
ORDER BY login, tenant_id
"""
_IS_LOGIN = "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1 AND rolcanlogin)"
_LISTED_ALREADY, _NOT_LISTED = "INSERT 0 0", "DELETE 0"


async def add(connection: Connection, tenant_id: int, login: str) -> None:
    """Allow a login of this PostgreSQL to read a tenant; raises CannotStart if there is no such login."""
    names.require_login_name(login)
    if not await connection.fetchval(_IS_LOGIN, login):
        raise CannotStart("PostgreSQL has no login of that name: create it first, see docs/roles.md.")
    async with connection.transaction():
        if await connection.execute(_ADD, tenant_id, login) != _LISTED_ALREADY:
            await Audit(connection).note(tenant_id, "reader.add")


async def remove(connection: Connection, tenant_id: int, login: str) -> bool:
    """Revoke a login's read access to a tenant, from its next query on; return whether it had any."""
    async with connection.transaction():
        was_there = await connection.execute(_REMOVE, tenant_id, login) != _NOT_LISTED
        if was_there:
            await Audit(connection).note(tenant_id, "reader.remove")
    return was_there


async def list_all(connection: Connection, tenant_id: int | None) -> list[asyncpg.Record]:
    return await connection.fetch(_LIST, tenant_id)
