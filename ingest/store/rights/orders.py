"""Compares orders of erasures with the database after a restore, and records again those that it lacks."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from ingest.store import acts, tenants
from ingest.store.connections import Connection
from schema.event import Kind

_KNOWN = "SELECT erasure_id FROM erasures UNION ALL SELECT erasure_id FROM absent_orders"
_ORDERED = "SELECT erasure_id FROM erasures WHERE step <> 'requested'"
_CREATED_AT = "SELECT created_at FROM tenants WHERE tenant_id = $1"
_WORDS = """
SELECT value.term_id, key.term AS key, value.term AS value
FROM vocabulary AS value
JOIN vocabulary AS key ON key.tenant_id = value.tenant_id AND key.kind = $2 AND key.term_id = value.parent_id
WHERE value.tenant_id = $1 AND value.kind = $3
ORDER BY value.term_id
"""
_RECORD = """
INSERT INTO erasures (tenant_id, erasure_id, scope, first, last, stream_id, sequence, term_id, revision)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING
"""
_NAME_EVENTS = """
INSERT INTO erasure_events (tenant_id, erasure_id, event_id) SELECT $1, $2, unnest($3::uuid[]) ON CONFLICT DO NOTHING
"""
_REVOKE_ALL = """
UPDATE ingest_tokens SET revoked_at = now(), revision = $2 WHERE tenant_id = $1 AND revoked_at IS NULL
RETURNING token_id
"""
_NOTE_ABSENT = "INSERT INTO absent_orders (erasure_id) VALUES ($1) ON CONFLICT DO NOTHING"
_TENANT_ID_MAX = (1 << 31) - 1  # A signed file may name any number, and PostgreSQL's integer has a bound.


class Word(NamedTuple):
    """A tag's key and value, with the number of the value."""

    term_id: int
    key: str
    value: str


class Wanted(NamedTuple):
    """An erasure as its row has it; `event_ids` are those of the scope `events`."""

    tenant_id: int
    erasure_id: UUID
    scope: str
    first: datetime | None = None
    last: datetime | None = None
    stream_id: UUID | None = None
    sequence: int | None = None
    term_id: int | None = None
    event_ids: Sequence[UUID] = ()


async def known(connection: Connection) -> set[UUID]:
    """Return the ids of all erasures that the database has, or knows to have no subject in it."""
    return {row["erasure_id"] for row in await connection.fetch(_KNOWN)}


async def ordered(connection: Connection) -> set[UUID]:
    """Return the ids of the erasures whose order was written."""
    return {row["erasure_id"] for row in await connection.fetch(_ORDERED)}


async def created_at(connection: Connection, tenant_id: int) -> datetime | None:
    """Return when a tenant was created, or None if there is none."""
    if tenant_id > _TENANT_ID_MAX:
        return None
    found: datetime | None = await connection.fetchval(_CREATED_AT, tenant_id)
    return found


async def words(connection: Connection, tenant_id: int) -> list[Word]:
    """Return the values of a tenant's tags, retired ones too."""
    rows = await connection.fetch(_WORDS, tenant_id, Kind.TAG_KEY, Kind.TAG_VALUE)
    return [Word(row["term_id"], row["key"], row["value"]) for row in rows]


async def record(connection: Connection, wanted: Wanted) -> None:
    """Record an erasure again, under its own id; a tenant's tokens are revoked, as at the first time."""
    async with acts.act(connection) as act:
        await connection.execute(_RECORD, *wanted[:-1], act.revision)
        await connection.execute(_NAME_EVENTS, wanted.tenant_id, wanted.erasure_id, wanted.event_ids)
        await act.note(wanted.tenant_id, "erasure.request")
        if wanted.scope == "tenant":
            await tenants.set_disabled(connection, wanted.tenant_id, disabled=True)
            for row in await connection.fetch(_REVOKE_ALL, wanted.tenant_id, act.revision):
                await act.note_token(wanted.tenant_id, "token.revoke", row["token_id"])


async def note_absent(connection: Connection, erasure_id: UUID) -> None:
    """Note that an order has no subject in this database."""
    await connection.execute(_NOTE_ABSENT, erasure_id)
