"""Puts letters into the outbox, in the transaction of their cause; a cause makes one letter for each person."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID, uuid5

from ingest.store.connections import Connection
from ingest.store.mail.kinds import Kind
from ingest.store.mail.sending import LINKS_AN_HOUR

_CAUSES = UUID("6d1f3a52-7c0e-4b7a-9d5e-2f0c8a4b6e91")  # The namespace of causes that are not rows.
_PUT = "SELECT nocontent.put_mail($1, $2, $3, $4, $5, $6, $7)"
_PUT_TO_ROLES = "SELECT nocontent.put_mail_to_roles($1, $2, $3, $4, $5, $6, $7)"
_BOUNCE = "SELECT nocontent.note_bounce($1, $2)"
# As a claim counts, and those that wait.
_LATELY = """
SELECT count(*) FROM nocontent.outbox
WHERE tenant_id = $1 AND person_id = $2 AND kind = $3 AND (
    state = 'pending'
    OR state IN ('sending', 'sent', 'unsure', 'bounced') AND changed_at > clock_timestamp() - interval '1 hour'
)
"""


class Letter(NamedTuple):
    """A letter to a person: what it is about, in ids and numbers alone; names are read when it is sent.

    `cause` is the id of a row, or `cause_of` its key.
    """

    kind: Kind
    person_id: UUID
    ids: tuple[UUID, ...]
    numbers: tuple[int, ...]
    cause: UUID
    not_before: datetime | None = None


class Notice(NamedTuple):
    """Likewise, to whoever has a role."""

    kind: Kind
    ids: tuple[UUID, ...]
    numbers: tuple[int, ...]
    cause: UUID
    not_before: datetime | None = None


def cause_of(*key: object) -> UUID:
    """Return the cause that a key stands for: the same key, the same cause."""
    return uuid5(_CAUSES, "\n".join(map(str, key)))


async def put(connection: Connection, tenant_id: int, letter: Letter) -> bool:
    """Put a letter; return False if there is one of its cause, or nobody to send it to.

    In a session of the console only a letter of the session's tenant.
    """
    return bool(await connection.fetchval(_PUT, tenant_id, *letter))


async def exceeds_limit(connection: Connection, tenant_id: int, person_id: UUID, kind: Kind) -> bool:
    """Return whether the invitations or resets put for a person are more than are sent in an hour.

    Asked after the link was made, which locks the person: of two at the same moment, the second one sees the first.
    """
    return int(await connection.fetchval(_LATELY, tenant_id, person_id, kind)) > LINKS_AN_HOUR


async def put_to_roles(connection: Connection, tenant_id: int, roles: Sequence[str], notice: Notice) -> int:
    """Put a letter to each person who has one of the roles, as `KINDS` lists them; return how many are new."""
    kind, *rest = notice
    return int(await connection.fetchval(_PUT_TO_ROLES, tenant_id, kind, list(roles), *rest))


async def note_bounce(connection: Connection, letter_id: UUID, reply_class: int) -> bool:
    """Record that a letter which went out came back; return False if no such letter did."""
    return bool(await connection.fetchval(_BOUNCE, letter_id, reply_class))
