"""Reads and sets which groups of letters a person does not want."""

from uuid import UUID

from ingest.store.connections import Connection
from ingest.store.mail.kinds import Declinable

_UNWANTED = "SELECT mail_group FROM nocontent.mail_preferences WHERE tenant_id = $1 AND person_id = $2"
_SET_OWN = "SELECT nocontent.set_own_mail($1, $2)"
_UNSUBSCRIBE = "SELECT nocontent.unsubscribe_mail($1, $2, $3)"


async def unwanted(connection: Connection, tenant_id: int, person_id: UUID) -> frozenset[Declinable]:
    """Return the groups that a person does not want."""
    return frozenset(row["mail_group"] for row in await connection.fetch(_UNWANTED, tenant_id, person_id))


async def set_own(connection: Connection, group: Declinable, *, wanted: bool) -> None:
    """Set whether the entered session's person wants a group."""
    await connection.execute(_SET_OWN, group, wanted)


async def unsubscribe(connection: Connection, tenant_id: int, person_id: UUID, group: Declinable) -> bool:
    """End a group for whoever a link of a letter names; return False if the person is gone."""
    return bool(await connection.fetchval(_UNSUBSCRIBE, tenant_id, person_id, group))
