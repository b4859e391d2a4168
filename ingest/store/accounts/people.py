"""Acts on the people of a tenant: those of an operator, and those of the entered session's person on others."""

import unicodedata
from datetime import datetime
from typing import Literal, NamedTuple
from uuid import UUID

from ingest.store.accounts.errors import BadDetails, PersonUnknown, explained
from ingest.store.connections import Connection

ManagedAct = Literal["role", "disable", "enable", "remove", "sign-out", "end-totp"]
LinkKind = Literal["invitation", "reset", "sign-in"]
# They turn around what stands behind a name, such as the address that tells whose it is.
_TURNING = frozenset(("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"))


class PersonRow(NamedTuple):
    """A person as a list shows it; without `password_changed_at` the invitation was not accepted yet."""

    person_id: UUID
    email: str
    name: str
    role: str
    time_zone: str
    created_at: datetime
    password_changed_at: datetime | None
    totp_since: datetime | None
    last_sign_in_at: datetime | None
    disabled_at: datetime | None


class Key(NamedTuple):
    """By what a person is known."""

    tenant_id: int
    person_id: UUID


class NewPerson(NamedTuple):
    """A person to invite."""

    email: str
    name: str
    role: str
    time_zone: str = "UTC"


_LIST = """
SELECT person_id, email, name, role, time_zone, created_at, password_changed_at, totp_since, last_sign_in_at,
    disabled_at
FROM nocontent.people WHERE tenant_id = $1 ORDER BY email
"""
_FIND = "SELECT person_id FROM nocontent.people WHERE tenant_id = $1 AND email = $2"
_INVITE = "SELECT nocontent.invite_person($1, $2, $3, $4, $5)"
_LINK_MANAGED = "SELECT nocontent.link_managed($1, $2, $3)"
_MANAGE = "SELECT nocontent.manage_person($1, $2, $3)"
_DETAILS = "SELECT nocontent.set_own_details($1, $2)"


def _require_plain(name: str) -> None:
    """Raise BadDetails for a name that changes how other text looks; the database checks the rest of its grammar."""
    if any(unicodedata.bidirectional(each) in _TURNING for each in name):
        raise BadDetails


async def list_all(connection: Connection, tenant_id: int) -> list[PersonRow]:
    """Return the people of a tenant by address."""
    return [PersonRow(*row.values()) for row in await connection.fetch(_LIST, tenant_id)]


async def find(connection: Connection, tenant_id: int, email: str) -> UUID:
    """Find a person of a tenant by address; raises PersonUnknown."""
    found = await connection.fetchval(_FIND, tenant_id, email)
    if found is None:
        raise PersonUnknown
    return UUID(int=found.int)


async def invite(connection: Connection, new: NewPerson, link_digest: bytes) -> UUID:
    """Add a person with an invitation; the entered session's person must be an owner or admin."""
    _require_plain(new.name)
    with explained():
        made = await connection.fetchval(_INVITE, *new, link_digest)
    return UUID(int=made.int)


async def link_managed(connection: Connection, person_id: UUID, kind: LinkKind, digest: bytes) -> datetime:
    """Make another link for a person; return when it expires."""
    with explained():
        expires_at: datetime = await connection.fetchval(_LINK_MANAGED, person_id, kind, digest)
    return expires_at


async def manage(connection: Connection, person_id: UUID, act: ManagedAct, role: str | None = None) -> None:
    """Carry out an act of the entered session's person on a person of the tenant."""
    with explained():
        await connection.execute(_MANAGE, person_id, act, role)


async def set_own_details(connection: Connection, name: str, time_zone: str) -> None:
    """Set name and time zone of the entered session's person."""
    _require_plain(name)
    with explained():
        await connection.execute(_DETAILS, name, time_zone)


_ADD = "SELECT nocontent.add_person($1, $2, $3, $4, $5)"
_ADD_LINK = "SELECT nocontent.add_link($1, $2, $3, $4)"
_SET_ROLE = "SELECT nocontent.set_person_role($1, $2, $3)"
_SET_DISABLED = "SELECT nocontent.set_person_disabled($1, $2, $3)"
_REMOVE = "SELECT nocontent.remove_person($1, $2)"
_SIGN_OUT = "SELECT nocontent.end_sessions($1, $2, NULL)"
_CLEAR_TOTP = "SELECT nocontent.clear_totp($1, $2)"


async def add(connection: Connection, tenant_id: int, new: NewPerson) -> UUID:
    """Add a person, as an operator."""
    _require_plain(new.name)
    with explained():
        made = await connection.fetchval(_ADD, tenant_id, *new)
    return UUID(int=made.int)


async def add_link(connection: Connection, tenant_id: int, person_id: UUID, kind: LinkKind, digest: bytes) -> datetime:
    """Make a link for a person, as an operator; return when it expires."""
    with explained():
        expires_at: datetime = await connection.fetchval(_ADD_LINK, tenant_id, person_id, kind, digest)
    return expires_at


async def set_role(connection: Connection, tenant_id: int, person_id: UUID, role: str) -> None:
    """Give a person another role, as an operator; the person has to sign in again."""
    with explained():
        await connection.execute(_SET_ROLE, tenant_id, person_id, role)


async def set_disabled(connection: Connection, tenant_id: int, person_id: UUID, *, disabled: bool) -> None:
    """Keep a person out at once, or let the person in again, as an operator."""
    with explained():
        await connection.execute(_SET_DISABLED, tenant_id, person_id, disabled)


async def remove(connection: Connection, tenant_id: int, person_id: UUID) -> None:
    """Delete everything about a person, as an operator."""
    with explained():
        await connection.execute(_REMOVE, tenant_id, person_id)


async def sign_out(connection: Connection, tenant_id: int, person_id: UUID) -> int:
    """End all sessions of a person, as an operator; return how many."""
    with explained():
        return int(await connection.fetchval(_SIGN_OUT, tenant_id, person_id))


async def clear_totp(connection: Connection, tenant_id: int, person_id: UUID) -> None:
    """Let a person sign in without codes, as an operator."""
    with explained():
        await connection.execute(_CLEAR_TOTP, tenant_id, person_id)
