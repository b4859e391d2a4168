"""Carries out an erasure, slice by slice, by functions of the database that delete only what it names.

Each slice is a transaction with its rows and their number, so counts are exact whenever a process is killed.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg

from ingest.store.connections import Connection
from ingest.store.rights.erasures import Erasure, Step, Subject
from ingest.store.rights.errors import WritersBusy

ROWS_A_SLICE = 5_000  # The functions take no more.
_DAYS_MAX = 3_000


class Place(NamedTuple):
    """A place in the order of a day's rows."""

    at: datetime
    event_id: UUID


class Slice(NamedTuple):
    """The rows of a slice that were looked at and deleted, and its last place; None if the day has ended."""

    seen: int
    erased: int
    last: Place | None


class Gone(NamedTuple):
    """By which an order knows its subject again: when the tenant was created, and a tag's key and value."""

    created_at: datetime
    word: tuple[str, str] | None


FIRST = Place(datetime.min.replace(tzinfo=UTC), UUID(int=0))

_SUBJECT = "SELECT created_at, tag_key, tag_value FROM nocontent.subject_of_erasure($1, $2)"
_ADVANCE = "SELECT nocontent.advance_erasure($1, $2, $3)"
_BAR = "SELECT nocontent.bar_writers($1, $2)"
_ERASE_EVENTS = "SELECT seen, erased, last_at, last_id FROM nocontent.erase_events($1, $2, $3, $4, $5, $6)"
_ERASE_ROWS = "SELECT nocontent.erase_rows($1, $2, $3, $4)"
_REDUCE_AUDIT = "SELECT nocontent.reduce_audit($1, $2, $3)"
_ERASE_ANNOTATIONS = "SELECT nocontent.erase_annotations($1, $2, $3)"
_ERASE_WORD = "SELECT nocontent.erase_word($1, $2)"
_COUNT_KEPT = "SELECT nocontent.count_kept($1, $2, $3)"
_VACUUM_SOON = "SELECT nocontent.vacuum_soon($1, $2, $3)"
_VACUUM_AS_USUAL = "SELECT nocontent.vacuum_as_usual($1)"
_SAMPLE_AGAIN = "SELECT nocontent.sample_again($1, $2)"
_NOTE_VACUUMED = "SELECT nocontent.note_vacuumed($1, $2)"
_TRIM = "SELECT nocontent.trim_erasures()"


async def subject(connection: Connection, erasure: Erasure) -> Gone | None:
    """Return what an order is to know its subject by, or None if the tenant is gone."""
    row = await connection.fetchrow(_SUBJECT, *_key(erasure))
    if row is None or row["created_at"] is None:
        return None
    return Gone(row["created_at"], None if row["tag_value"] is None else (row["tag_key"], row["tag_value"]))


async def advance(connection: Connection, erasure: Erasure, step: Step) -> bool:
    """Note that a step is done; return False if another process was faster."""
    return bool(await connection.fetchval(_ADVANCE, *_key(erasure), step))


async def bar_writers(connection: Connection, erasure: Erasure) -> None:
    """Wait until no writer is left that began before the erasure was recorded; raises WritersBusy after 150 ms."""
    try:
        await connection.execute(_BAR, *_key(erasure))
    except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
        raise WritersBusy from None


# A day that is detached has a table, too, and another that is being detached is none of `events` any more.
_DAYS = """
SELECT day FROM (
    SELECT to_date(right(relname, 8), 'YYYYMMDD') AS day FROM pg_class
    WHERE relnamespace = 'nocontent'::regnamespace AND relkind = 'r'
        AND relname ~ '^events_(?!0000)[0-9]{4}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])$'
) AS known
WHERE ($1::date IS NULL OR day >= $1) AND ($2::date IS NULL OR day <= $2) ORDER BY day LIMIT $3
"""


async def days(connection: Connection, subject: Subject) -> list[date]:
    """Return the days that have a table and may have rows of the subject, the first one first."""
    if subject.scope == "stream":
        return []
    rows = await connection.fetch(_DAYS, _day(subject.first), _day(subject.last), _DAYS_MAX)
    return [row["day"] for row in rows]


def _day(moment: datetime | None) -> date | None:
    return None if moment is None else moment.astimezone(UTC).date()


async def erase_events(connection: Connection, erasure: Erasure, day: date, after: Place) -> Slice:
    """Look at the next rows of a day, and delete those that the erasure names."""
    row = await connection.fetchrow(_ERASE_EVENTS, *_key(erasure), day, *after, ROWS_A_SLICE)
    assert row is not None
    is_last = row["seen"] < ROWS_A_SLICE
    return Slice(row["seen"], row["erased"], None if is_last else Place(row["last_at"], row["last_id"]))


async def erase_rows(connection: Connection, erasure: Erasure, table: str) -> int:
    """Delete some rows of a table, and return their number; 0 at the end."""
    return int(await connection.fetchval(_ERASE_ROWS, *_key(erasure), table, ROWS_A_SLICE))


async def erase_annotations(connection: Connection, erasure: Erasure) -> int:
    """Delete some annotations of events that are gone, and return their number; 0 at the end."""
    return int(await connection.fetchval(_ERASE_ANNOTATIONS, *_key(erasure), ROWS_A_SLICE))


async def reduce_audit(connection: Connection, erasure: Erasure) -> int:
    """Clear the references of some audit lines, and return their number; 0 at the end."""
    return int(await connection.fetchval(_REDUCE_AUDIT, *_key(erasure), ROWS_A_SLICE))


async def erase_word(connection: Connection, erasure: Erasure) -> bool:
    """Overwrite the word of a tag that goes from all events; return whether it was still there."""
    return bool(await connection.fetchval(_ERASE_WORD, *_key(erasure)))


async def count_kept(connection: Connection, erasure: Erasure, table: str) -> int:
    """Note how many rows of a table stay."""
    return int(await connection.fetchval(_COUNT_KEPT, *_key(erasure), table))


_IS_SUMMED = """
SELECT NOT EXISTS (
    SELECT FROM nocontent.usage_marks WHERE tenant_id = $1 AND events = 0
        AND last >= coalesce($2::timestamptz, '-infinity') AND first <= coalesce($3::timestamptz, 'infinity')
)
"""


async def is_summed(connection: Connection, subject: Subject) -> bool:
    """Return whether the job of rollups has made the sums of the erased hours again."""
    return bool(await connection.fetchval(_IS_SUMMED, subject.tenant_id, subject.first, subject.last))


_TOUCHED = """
SELECT CASE table_name WHEN 'events' THEN 'events_' || to_char(day, 'YYYYMMDD') ELSE table_name END AS name
FROM nocontent.erasure_counts
WHERE tenant_id = $1 AND erasure_id = $2 AND erased > 0 AND table_name IN ('events', 'batches', 'usage')
GROUP BY 1 ORDER BY 1
"""
_UNVACUUMED = """
SELECT relname FROM pg_stat_user_tables
WHERE schemaname = 'nocontent' AND relname = ANY($1)
    AND NOT (greatest(last_autovacuum, last_vacuum) > $2 AND n_dead_tup <= 50 + n_live_tup / 1000)
"""


async def touched(connection: Connection, erasure: Erasure) -> list[str]:
    """Return the large tables that rows were deleted from."""
    return [row["name"] for row in await connection.fetch(_TOUCHED, *_key(erasure))]


async def flush_statistics(connection: Connection) -> None:
    """Report what this session deleted, which autovacuum and `unvacuumed` go by; others report when they end."""
    await connection.execute("SELECT pg_stat_force_next_flush()")


async def sample_again(connection: Connection, erasure: Erasure) -> None:
    """Have PostgreSQL replace its samples of terms, which keep words that are gone."""
    await connection.execute(_SAMPLE_AGAIN, *_key(erasure))


async def vacuum_soon(connection: Connection, erasure: Erasure, table: str) -> None:
    """Have autovacuum come to a table at its next turn."""
    await connection.execute(_VACUUM_SOON, *_key(erasure), table)


async def vacuum_as_usual(connection: Connection, table: str) -> None:
    """Undo `vacuum_soon`."""
    await connection.execute(_VACUUM_AS_USUAL, table)


async def unvacuumed(connection: Connection, tables: Sequence[str], since: datetime) -> list[str]:
    """Return those of the tables that no VACUUM has cleaned up since a time."""
    rows = await connection.fetch(_UNVACUUMED, tables, since)
    return [row["relname"] for row in rows]


async def note_vacuumed(connection: Connection, erasure: Erasure) -> None:
    """Note that the space of the erased rows is free again."""
    await connection.execute(_NOTE_VACUUMED, *_key(erasure))


async def trim(connection: Connection) -> int:
    """Delete digests and ids of erasures that nothing can need any more, and return their number."""
    return int(await connection.fetchval(_TRIM))


_TABLES = (
    "SELECT table_name, erased FROM nocontent.tenant_tables ORDER BY table_name DESC"  # Marks of usage before usage.
)
_LAST = ("tenants",)  # It has the name that a person knows the tenant by, until everything else is done.


async def tables(connection: Connection) -> Mapping[str, str]:
    """Return what an erasure of a tenant does with each table, in the order in which it does it."""
    rows = await connection.fetch(_TABLES)
    return {row["table_name"]: row["erased"] for row in sorted(rows, key=lambda row: row["table_name"] in _LAST)}


def _key(erasure: Erasure) -> tuple[int, UUID]:
    return erasure.subject.tenant_id, erasure.erasure_id
