"""Records erasures, as an operator's acts, and reads them; `erasing.py` has what carries them out."""

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NamedTuple, get_args
from uuid import UUID

import asyncpg

from ingest.store import acts, erased_words
from ingest.store.connections import Connection
from ingest.store.rights.errors import SubjectChanged
from schema import ids
from schema.event import Kind

ScopeName = Literal["tenant", "range", "stream", "tag", "events"]
Step = Literal[
    "requested", "ordered", "barred", "erased", "cleared", "summed", "vacuumed", "verified", "finished",
]  # fmt: skip
STEPS: tuple[Step, ...] = get_args(Step)
EVENTS_MAX = 10_000
_SALT_BYTES = 32


class Subject(NamedTuple):
    """What is to be erased: a tenant, or the part of it that the other fields name."""

    tenant_id: int
    scope: ScopeName
    first: datetime | None = None
    last: datetime | None = None
    stream_id: UUID | None = None
    sequence: int | None = None
    term_id: int | None = None

    @property
    def has_word(self) -> bool:
        """Return whether a tag's word goes, too: it does if it goes from all events."""
        return self.scope == "tag" and self.first is None


class Erasure(NamedTuple):
    """An erasure as it is recorded, and how far it is."""

    erasure_id: UUID
    subject: Subject
    revision: int
    requested_at: datetime
    step: Step
    step_at: datetime
    ordered_at: datetime | None
    vacuumed_at: datetime | None
    verified_at: datetime | None
    finished_at: datetime | None

    def has_reached(self, step: Step) -> bool:
        return STEPS.index(self.step) >= STEPS.index(step)


class Count(NamedTuple):
    """The rows of a table that were deleted, that lost what names the subject, and that are kept as they were."""

    table: str
    erased: int
    reduced: int
    kept: int


_SUBJECT = "tenant_id, scope, first, last, stream_id, sequence, term_id"
_COLUMNS = f"""
erasure_id, {_SUBJECT}, revision, requested_at, step, step_at, ordered_at, vacuumed_at, verified_at, finished_at
"""
_RECORD = f"""
INSERT INTO nocontent.erasures (erasure_id, {_SUBJECT}, revision) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
RETURNING {_COLUMNS}
"""  # noqa: S608 (the names are our own)
_RECORD_EVENTS = """
INSERT INTO nocontent.erasure_events (tenant_id, erasure_id, event_id) SELECT $1, $2, unnest($3::uuid[])
"""
# A tenant that is disabled has no token, so that nothing of it is stored after the barrier.
_DISABLE = "UPDATE nocontent.tenants SET disabled = true, revision = $2 WHERE tenant_id = $1"
_REVOKE = """
UPDATE nocontent.ingest_tokens SET revoked_at = coalesce(revoked_at, now()), revision = $2 WHERE tenant_id = $1
"""
_WORD = """
SELECT parent_id, term FROM nocontent.vocabulary WHERE tenant_id = $1 AND kind = $2 AND term_id = $3
"""
# As long as a sender may still be allowed to send an event with it.
_RECORD_WORD = """
INSERT INTO nocontent.erased_words (tenant_id, erasure_id, kind, parent_id, digest, salt, until)
SELECT $1, $2, $3, $4, $5, $6, now() + (coalesce(retention_days, 400) + 2) * interval '1 day'
FROM nocontent.retention WHERE retention_id = 1
"""
_OPEN = f"""
SELECT {_COLUMNS} FROM nocontent.erasures WHERE step <> 'finished' ORDER BY requested_at, erasure_id
"""  # noqa: S608 (likewise)
_ALL = f"SELECT {_COLUMNS} FROM nocontent.erasures ORDER BY requested_at DESC, erasure_id LIMIT $1"  # noqa: S608 (likewise)
_FIND = f"SELECT {_COLUMNS} FROM nocontent.erasures WHERE erasure_id = $1"  # noqa: S608 (likewise)
_OF_TENANT = f"""
SELECT {_COLUMNS} FROM nocontent.erasures
WHERE tenant_id = $1 AND scope = 'tenant' AND step <> 'finished' LIMIT 1
"""  # noqa: S608 (likewise)
_OLDEST = """
SELECT coalesce(greatest(extract(epoch FROM clock_timestamp() - min(requested_at)), 0), 0)::bigint
FROM nocontent.erasures WHERE step <> 'finished'
"""
_EVENTS = """
SELECT event_id FROM nocontent.erasure_events WHERE tenant_id = $1 AND erasure_id = $2 ORDER BY event_id
"""
_COUNTS = """
SELECT table_name, sum(erased)::bigint AS erased, sum(reduced)::bigint AS reduced, sum(kept)::bigint AS kept
FROM nocontent.erasure_counts WHERE tenant_id = $1 AND erasure_id = $2 GROUP BY table_name ORDER BY table_name
"""
_TAG_TERM = """
SELECT value.term_id FROM nocontent.vocabulary AS value
JOIN nocontent.vocabulary AS key
    ON key.tenant_id = value.tenant_id AND key.kind = 4 AND key.term_id = value.parent_id
WHERE value.tenant_id = $1 AND value.kind = 5 AND key.term = $2 AND value.term = $3
"""
_LOCK_TENANT = "SELECT tenant_id FROM nocontent.tenants WHERE tenant_id = $1 FOR UPDATE"


async def record(connection: Connection, wanted: Subject, event_ids: Sequence[UUID] = ()) -> Erasure:
    """Record an erasure in one act; the job does the rest. Raises SubjectChanged if the tenant is being erased."""
    erasure_id = ids.uuid7(await _now_ms(connection), secrets.randbits(80))
    return await record_as(connection, erasure_id, wanted, event_ids)


async def record_as(
    connection: Connection, erasure_id: UUID, wanted: Subject, event_ids: Sequence[UUID] = ()
) -> Erasure:
    """Record an erasure, as `record` does, under an id that it had before a restore."""
    async with acts.act(connection) as act:
        if await connection.fetchval(_LOCK_TENANT, wanted.tenant_id) is None:
            raise SubjectChanged
        if await of_tenant(connection, wanted.tenant_id) is not None:
            raise SubjectChanged
        row = await connection.fetchrow(_RECORD, erasure_id, *wanted, act.revision)
        if event_ids:
            await connection.execute(_RECORD_EVENTS, wanted.tenant_id, erasure_id, list(event_ids))
        if wanted.has_word:
            await _record_word(connection, wanted, erasure_id)
        await act.note(wanted.tenant_id, "erasure.request")
        if wanted.scope == "tenant":
            await connection.execute(_REVOKE, wanted.tenant_id, act.revision)
            await connection.execute(_DISABLE, wanted.tenant_id, act.revision)
    return _erasure(row)


async def _now_ms(connection: Connection) -> int:
    return int(await connection.fetchval("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint"))


async def _record_word(connection: Connection, wanted: Subject, erasure_id: UUID) -> None:
    row = await connection.fetchrow(_WORD, wanted.tenant_id, Kind.TAG_VALUE, wanted.term_id)
    if row is None:
        raise SubjectChanged
    salt = secrets.token_bytes(_SALT_BYTES)
    own = (wanted.tenant_id, erasure_id, Kind.TAG_VALUE, row["parent_id"], erased_words.digest(salt, row["term"]), salt)
    await connection.execute(_RECORD_WORD, *own)


async def tag_term(connection: Connection, tenant_id: int, key: str, value: str) -> int | None:
    """Return the number of a tag's value, retired or not."""
    found = await connection.fetchval(_TAG_TERM, tenant_id, key, value)
    return None if found is None else int(found)


async def unfinished(connection: Connection) -> list[Erasure]:
    """Return the erasures that are not finished, the oldest first."""
    return [_erasure(row) for row in await connection.fetch(_OPEN)]


async def latest(connection: Connection, count_max: int) -> list[Erasure]:
    """Return the last erasures that were recorded, the newest first."""
    return [_erasure(row) for row in await connection.fetch(_ALL, count_max)]


async def find(connection: Connection, erasure_id: UUID) -> Erasure | None:
    """Return the erasure with this id, whose tenant may be gone."""
    row = await connection.fetchrow(_FIND, erasure_id)
    return None if row is None else _erasure(row)


async def of_tenant(connection: Connection, tenant_id: int) -> Erasure | None:
    """Return the erasure of a whole tenant that is not finished."""
    row = await connection.fetchrow(_OF_TENANT, tenant_id)
    return None if row is None else _erasure(row)


async def oldest_s(connection: Connection) -> int:
    """Return the age of the oldest erasure that is not finished, or 0."""
    return int(await connection.fetchval(_OLDEST))


async def event_ids(connection: Connection, erasure: Erasure) -> tuple[UUID, ...]:
    """Return the ids of the events that an erasure names, in ascending order."""
    rows = await connection.fetch(_EVENTS, erasure.subject.tenant_id, erasure.erasure_id)
    return tuple(UUID(int=row["event_id"].int) for row in rows)


async def counts(connection: Connection, erasure: Erasure) -> list[Count]:
    """Return what an erasure has done to each table so far."""
    return [
        Count(*row.values()) for row in await connection.fetch(_COUNTS, erasure.subject.tenant_id, erasure.erasure_id)
    ]


def _erasure(row: asyncpg.Record | None) -> Erasure:
    assert row is not None
    erasure_id, *subject = tuple(row)[:8]
    return Erasure(UUID(int=erasure_id.int), Subject(*subject), *tuple(row)[8:])
