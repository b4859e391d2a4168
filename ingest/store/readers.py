"""Which logins read which tenants; what they may call at all is their role's."""

import asyncpg

from ingest.errors import CannotStart
from ingest.store import names
from ingest.store.connections import Connection
from ingest.store.tenants import AUDIT

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
    """Let a login of this PostgreSQL read a tenant; raises CannotStart if there is none of that name."""
    names.require_login_name(login)
    if not await connection.fetchval(_IS_LOGIN, login):
        raise CannotStart("PostgreSQL has no login of that name: make it first, as docs/roles.md says.")
    async with connection.transaction():
        if await connection.execute(_ADD, tenant_id, login) != _LISTED_ALREADY:
            await connection.execute(AUDIT, tenant_id, "reader.add", None, None, None, None)


async def remove(connection: Connection, tenant_id: int, login: str) -> bool:
    """Let a login read a tenant no more, from its next query on; tells whether it could."""
    async with connection.transaction():
        was_there = await connection.execute(_REMOVE, tenant_id, login) != _NOT_LISTED
        if was_there:
            await connection.execute(AUDIT, tenant_id, "reader.remove", None, None, None, None)
    return was_there


async def list_all(connection: Connection, tenant_id: int | None) -> list[asyncpg.Record]:
    return await connection.fetch(_LIST, tenant_id)
