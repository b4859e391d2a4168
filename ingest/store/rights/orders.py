"""Reads what orders of erasures are compared with after a restore: erasures, tenants and words."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from ingest.store.connections import Connection
from schema import limits
from schema.event import Kind

_UNKNOWN = "SELECT erasure_id FROM nocontent.unknown_orders($1) AS erasure_id ORDER BY erasure_id"
_ORDERED = "SELECT erasure_id FROM erasures WHERE step <> 'requested'"
_CREATED_AT = "SELECT created_at FROM tenants WHERE tenant_id = $1"
_WORDS = """
SELECT value.term_id, key.term AS key, value.term AS value
FROM vocabulary AS value
JOIN vocabulary AS key ON key.tenant_id = value.tenant_id AND key.kind = $2 AND key.term_id = value.parent_id
WHERE value.tenant_id = $1 AND value.kind = $3
ORDER BY value.term_id
"""
_NOTE_ABSENT = "INSERT INTO absent_orders (erasure_id) VALUES ($1) ON CONFLICT DO NOTHING"
# As long as a sender may still be allowed to send an event with it.
_BAR_WORD = """
INSERT INTO erased_words (tenant_id, erasure_id, kind, parent_id, digest, salt, until)
SELECT $1, $2, $3, $4, $5, $6, now() + (coalesce(retention_days, $7) + 2) * interval '1 day'
FROM retention WHERE retention_id = 1
ON CONFLICT DO NOTHING
"""
_KEYS = "SELECT term_id, term FROM vocabulary WHERE tenant_id = $1 AND kind = $2 ORDER BY term_id"
_TENANT_ID_MAX = (1 << 31) - 1  # A signed file may name any number, and PostgreSQL's integer has a bound.


class Word(NamedTuple):
    """A tag's key and value, with the number of the value."""

    term_id: int
    key: str
    value: str


async def unknown(connection: Connection, there: Iterable[UUID]) -> list[UUID]:
    """Return those of some orders whose erasure the database lacks, unless it knows that they have no subject in it."""
    return [UUID(int=row["erasure_id"].int) for row in await connection.fetch(_UNKNOWN, list(there))]


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


async def tag_keys(connection: Connection, tenant_id: int) -> dict[int, str]:
    """Return a tenant's tag keys by their numbers."""
    return {row["term_id"]: row["term"] for row in await connection.fetch(_KEYS, tenant_id, Kind.TAG_KEY)}


class BarredWord(NamedTuple):
    """A tag's value, as a digest, that a tenant's traffic must not teach."""

    tenant_id: int
    key_id: int
    digest: bytes
    salt: bytes


async def note_absent(connection: Connection, erasure_id: UUID, barred: BarredWord | None = None) -> None:
    """Note that an order has no subject in this database, and keep its word out of it."""
    async with connection.transaction():
        await connection.execute(_NOTE_ABSENT, erasure_id)
        if barred is not None:
            tenant_id, key_id, digest, salt = barred
            own = (tenant_id, erasure_id, Kind.TAG_VALUE, key_id, digest, salt, limits.RETENTION_DAYS_MAX)
            await connection.execute(_BAR_WORD, *own)
