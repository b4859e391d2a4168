"""Acts of owners and admins on people of their organisation, in a transaction of the session."""

from typing import NamedTuple
from uuid import UUID

from ingest.accounts.links import Link
from ingest.accounts.roles import Role
from ingest.store.accounts import people
from ingest.store.accounts.people import NewPerson
from ingest.store.connections import Connection


class Invited(NamedTuple):
    """A new person, and the link that the person sets a password with."""

    person_id: UUID
    link: Link


async def invite(connection: Connection, email: str, name: str, role: Role, time_zone: str = "UTC") -> Invited:
    """Add a person with an invitation for 7 days; raises NotAllowed, AddressTaken or BadDetails."""
    link = Link.make()
    new = NewPerson(email.strip().lower(), " ".join(name.split()), role, time_zone)
    return Invited(await people.invite(connection, new, link.digest), link)


async def invite_again(connection: Connection, person_id: UUID) -> Link:
    """Make another invitation for somebody who has not accepted; raises NotAllowed or PersonUnknown."""
    link = Link.make()
    await people.link_managed(connection, person_id, "invitation", link.digest)
    return link


async def reset(connection: Connection, person_id: UUID) -> Link:
    """Make a link for 30 minutes with which a person sets another password; raises NotAllowed or PersonUnknown."""
    link = Link.make()
    await people.link_managed(connection, person_id, "reset", link.digest)
    return link


async def set_role(connection: Connection, person_id: UUID, role: Role) -> None:
    """Set a person's role, and end all sessions; raises NotAllowed, PersonUnknown or LastOwner."""
    await people.manage(connection, person_id, "role", role)


async def disable(connection: Connection, person_id: UUID) -> None:
    """Keep a person out from the next request on; raises NotAllowed, PersonUnknown or LastOwner."""
    await people.manage(connection, person_id, "disable")


async def enable(connection: Connection, person_id: UUID) -> None:
    """Enable a person who was disabled; raises NotAllowed or PersonUnknown."""
    await people.manage(connection, person_id, "enable")


async def remove(connection: Connection, person_id: UUID) -> None:
    """Delete everything about a person; raises NotAllowed, PersonUnknown or LastOwner."""
    await people.manage(connection, person_id, "remove")


async def sign_out_everywhere(connection: Connection, person_id: UUID) -> None:
    """End all sessions of a person; raises NotAllowed or PersonUnknown."""
    await people.manage(connection, person_id, "sign-out")


async def end_totp(connection: Connection, person_id: UUID) -> None:
    """Remove the authenticator of a person who lost it; raises NotAllowed or PersonUnknown."""
    await people.manage(connection, person_id, "end-totp")
