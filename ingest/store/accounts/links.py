"""Links that work once: looked at as often as anybody likes, and used up by the act that they are for."""

from typing import NamedTuple
from uuid import UUID

from ingest.store.connections import Connection


class LinkRow(NamedTuple):
    """A link that still works, and its person."""

    kind: str
    tenant_id: int
    tenant_name: str
    person_id: UUID
    email: str
    name: str
    role: str
    time_zone: str


_FIND = """
SELECT its_kind, its_tenant, tenant_name, its_person, its_email, its_name, its_role, its_zone
FROM nocontent.find_link($1) WHERE its_tenant IS NOT NULL
"""
_USE = "SELECT nocontent.use_link($1, $2)"
_ASK_RESET = "SELECT nocontent.ask_reset($1, $2)"


async def find(connection: Connection, digest: bytes) -> LinkRow | None:
    """Return a link that still works, or None; it is not used up."""
    row = await connection.fetchrow(_FIND, digest)
    return None if row is None else LinkRow(*row.values())


async def use(connection: Connection, digest: bytes, password_hash: str | None) -> bool:
    """Use a link up, and set the password if it is for that; return False if it works no more."""
    return bool(await connection.fetchval(_USE, digest, password_hash))


async def ask_reset(connection: Connection, organisation: str, email: str) -> None:
    """Put a letter with a link to whoever has the address in the organisation; the same work if nobody has."""
    await connection.execute(_ASK_RESET, organisation, email)
