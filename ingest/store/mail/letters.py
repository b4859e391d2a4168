"""Reads letters for people who look at what was sent, or would have been."""

from datetime import datetime
from typing import Literal, NamedTuple
from uuid import UUID

from asyncpg import Record

from ingest.store.connections import Connection
from ingest.store.mail import sending
from ingest.store.mail.kinds import Kind

State = Literal["sending"] | sending.State


class Line(NamedTuple):
    """A letter in a list; without a name if its person was removed."""

    letter_id: UUID
    kind: Kind
    person: str | None
    email: str | None
    state: State
    reply_class: int | None  # The first digit of the mail server's last reply.
    attempts: int
    created_at: datetime
    changed_at: datetime


class Stored(NamedTuple):
    """A letter as the outbox has it."""

    tenant_id: int
    letter_id: UUID
    kind: Kind
    person_id: UUID
    ids: tuple[UUID, ...]
    numbers: tuple[int, ...]


class Page(NamedTuple):
    """Letters, the newest first, and the last of them if there are older ones."""

    lines: list[Line]
    next_after: UUID | None


_LINE = """
SELECT letter.letter_id, letter.kind, person.name AS person, person.email, letter.state, letter.reply_class,
    letter.attempts, letter.created_at, letter.changed_at
FROM nocontent.outbox letter
LEFT JOIN nocontent.people person ON person.tenant_id = letter.tenant_id AND person.person_id = letter.person_id
"""
_PAGE = f"""
{_LINE} WHERE letter.tenant_id = $1 AND ($2::uuid IS NULL OR (letter.created_at, letter.letter_id) < (
    SELECT created_at, letter_id FROM nocontent.outbox WHERE tenant_id = $1 AND letter_id = $2
))
ORDER BY letter.created_at DESC, letter.letter_id DESC LIMIT $3
"""  # noqa: S608 (our own words)
_ONE = f"{_LINE} WHERE letter.tenant_id = $1 AND letter.letter_id = $2"
_STORED = """
SELECT tenant_id, letter_id, kind, person_id, ids, numbers FROM nocontent.outbox
WHERE tenant_id = $1 AND letter_id = $2
"""


async def page(connection: Connection, tenant_id: int, after: UUID | None, lines_max: int) -> Page:
    """Return letters of a tenant, from after one on in the order of a list."""
    rows = await connection.fetch(_PAGE, tenant_id, after, lines_max + 1)
    lines = [_line(row) for row in rows[:lines_max]]
    return Page(lines, lines[-1].letter_id if len(rows) > lines_max else None)


async def find(connection: Connection, tenant_id: int, letter_id: UUID) -> tuple[Line, Stored] | None:
    """Return a letter of a tenant."""
    line = await connection.fetchrow(_ONE, tenant_id, letter_id)
    row = await connection.fetchrow(_STORED, tenant_id, letter_id)
    return None if line is None or row is None else (_line(line), _stored(row))


def _stored(row: Record) -> Stored:
    tenant, letter, kind, person, ids, numbers = row.values()
    return Stored(tenant, _id(letter), kind, _id(person), tuple(map(_id, ids)), tuple(numbers))


def _line(row: Record) -> Line:
    letter_id, *rest = row.values()
    return Line(_id(letter_id), *rest)


def _id(found: UUID) -> UUID:
    """Return an id of asyncpg's as one of Python's."""
    return UUID(int=found.int)
