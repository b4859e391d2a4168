"""Reads what was refused and what arrived, for the tenant of the session that the transaction names.

Of the ledger the newest LINES_MAX lines are read, so that a page of a tenant with millions of small batches is as
quick as any.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from asyncpg import Record

from ingest.store.connections import Connection
from ingest.store.traffic import DOORS, FIELDS, Door

LINES_MAX = 50_000
STREAMS_MAX = 200
GAPS_MAX = 100
ROWS_MAX = 1_000


class Refusal(NamedTuple):
    """Requests and records that were refused for one cause; `field` is None if it is not at a field of the contract."""

    cause: str
    door: Door
    field: str | None
    requests: int
    records: int
    first_at: datetime
    last_at: datetime


class Day(NamedTuple):
    """A day (UTC): the requests that came, and those that were refused, wholly or in part."""

    day: date
    requests: int
    refused: int
    records: int


class Source(NamedTuple):
    """What came by a token: the doors, the last version of our reporter or 0, and the least delay of the last day."""

    token_id: str
    last_at: datetime
    requests: int
    refused: int
    events: int
    doors: Sequence[Door]
    version: int
    lag_ms: int | None
    is_valid: bool


class Losses(NamedTuple):
    """Events that proxies say they lost, by reason."""

    queue_full: int
    retries_exhausted: int
    refused: int
    shutdown: int


class Stream(NamedTuple):
    """A proxy's batches in order, as far as they came lately; batches without a stream are the one whose id is None."""

    stream_id: UUID | None
    batches: int
    accepted: int
    duplicates: int
    coarsened: int
    missing: int
    losses: Losses
    first_at: datetime
    last_at: datetime


class Ledger(NamedTuple):
    """The streams that sent lately; since when, if there were too many lines to read all; and if others sent before."""

    streams: Sequence[Stream]
    cut_at: datetime | None
    has_more: bool


class Gap(NamedTuple):
    """Sequences that never came, both ends included, and when the next one came."""

    first: int
    last: int
    before: datetime


_REFUSALS = """
SELECT cause, door, field, sum(requests)::bigint AS requests, sum(records)::bigint AS records,
    min(first_at) AS first_at, max(last_at) AS last_at
FROM refusals WHERE day >= $1 AND ($2::text IS NULL OR cause = $2)
GROUP BY cause, door, field ORDER BY sum(requests + records) DESC, cause, door, field LIMIT $3
"""


async def refusals(connection: Connection, since: date, cause: str | None = None) -> list[Refusal]:
    """Return what was refused from a day on, the most frequent first."""
    rows = await connection.fetch(_REFUSALS, since, cause, ROWS_MAX)
    return [
        Refusal(row["cause"], DOORS[row["door"] - 1], FIELDS[row["field"]], *tuple(row.values())[3:]) for row in rows
    ]


_DAYS = """
SELECT day, coalesce(came.requests, 0)::bigint AS requests, coalesce(gone.requests, 0)::bigint AS refused,
    coalesce(gone.records, 0)::bigint AS records
FROM (SELECT day, sum(requests) AS requests FROM arrivals WHERE day >= $1 GROUP BY day) AS came
FULL JOIN (
    SELECT day, sum(requests) AS requests, sum(records) AS records FROM refusals
    WHERE day >= $1 AND ($2::text IS NULL OR cause = $2) GROUP BY day
) AS gone USING (day)
ORDER BY day DESC
"""


async def days(connection: Connection, since: date, cause: str | None = None) -> list[Day]:
    """Return how much was refused on each day from one on, of all causes or of one."""
    return [Day(*row.values()) for row in await connection.fetch(_DAYS, since, cause)]


_SOURCES = """
SELECT token_id, max(last_at) AS last_at, sum(requests)::bigint AS requests, sum(refused)::bigint AS refused,
    sum(events)::bigint AS events, array_agg(DISTINCT door ORDER BY door) AS doors,
    coalesce((array_agg(reporter_version ORDER BY last_at DESC, reporter_version DESC)
        FILTER (WHERE reporter_version > 0))[1], 0) AS version,
    (array_agg(lag_ms ORDER BY day DESC, lag_ms) FILTER (WHERE lag_ms IS NOT NULL))[1] AS lag_ms,
    EXISTS (
        SELECT FROM ingest_tokens known WHERE known.token_id = arrivals.token_id AND known.revoked_at IS NULL
            AND (known.expires_at IS NULL OR known.expires_at > now())
    ) AS is_valid
FROM arrivals WHERE day >= $1 GROUP BY token_id ORDER BY last_at DESC, token_id LIMIT $2
"""


async def sources(connection: Connection, since: date) -> list[Source]:
    """Return what came by each token from a day on, the last one to send first; delays are of its last day."""
    rows = await connection.fetch(_SOURCES, since, ROWS_MAX)
    return [Source(**{**dict(row.items()), "doors": [DOORS[number - 1] for number in row["doors"]]}) for row in rows]


_STREAMS = """
SELECT stream_id, batches, accepted, duplicates, coarsened, missing, queue_full, retries_exhausted, refused, shutdown,
    first_at, last_at, cut_at
FROM own_streams($1, $2, $3)
"""


async def streams(connection: Connection, since: datetime) -> Ledger:
    """Return the last STREAMS_MAX streams of batches that came since a time, the last one to send first."""
    rows = await connection.fetch(_STREAMS, since, LINES_MAX, STREAMS_MAX + 1)
    kept = [_stream(row) for row in rows[:STREAMS_MAX]]
    return Ledger(kept, rows[0]["cut_at"] if rows else None, len(rows) > STREAMS_MAX)


_STREAM = """
SELECT stream_id, count(*) AS batches, sum(accepted)::bigint AS accepted, sum(duplicates)::bigint AS duplicates,
    sum(coarsened)::bigint AS coarsened, max(sequence) - min(sequence) + 1 - count(*) AS missing,
    sum(dropped_queue_full)::bigint AS queue_full, sum(dropped_retries_exhausted)::bigint AS retries_exhausted,
    sum(dropped_refused)::bigint AS refused, sum(dropped_shutdown)::bigint AS shutdown,
    min(received_at) AS first_at, max(received_at) AS last_at
FROM own_batches WHERE stream_id = $1 AND sequence >= 0 GROUP BY stream_id
"""


async def stream(connection: Connection, stream_id: UUID) -> Stream | None:
    """Return a stream with all that the ledger has of it, or None if that is nothing."""
    row = await connection.fetchrow(_STREAM, stream_id)
    return None if row is None else _stream(row)


def _stream(row: Record) -> Stream:
    return Stream(
        **{name: row[name] for name in Stream._fields if name != "losses"},
        losses=Losses(*(row[reason] for reason in Losses._fields)),
    )


_GAPS = """
SELECT before + 1 AS first, sequence - 1 AS last, received_at
FROM (
    SELECT sequence, received_at, lag(sequence) OVER (ORDER BY sequence) AS before
    FROM own_batches WHERE stream_id = $1 AND sequence >= 0
) AS received
WHERE sequence > before + 1 ORDER BY first DESC LIMIT $2
"""


async def gaps(connection: Connection, stream_id: UUID) -> list[Gap]:
    """Return the last gaps of a stream, over all that the ledger has of it."""
    return [Gap(*row.values()) for row in await connection.fetch(_GAPS, stream_id, GAPS_MAX)]


_LEARNED = "SELECT count(*) FROM vocabulary WHERE learned AND tenant_id > 0 AND created_at >= $1"


async def learned(connection: Connection, since: datetime) -> int:
    """Return how many terms traffic has registered since a time."""
    return int(await connection.fetchval(_LEARNED, since))
