"""Reads the ledger: the received, missing and dropped batches of streams, and the events that tenants sent."""

import asyncio
from typing import Annotated
from uuid import UUID

import asyncpg
from msgspec import Meta, Struct

from ingest.store.connections import Connection
from ingest.store.errors import StreamNotFound
from schema import limits
from schema.event import DROP_REASONS

GAPS_MAX = 100
MISSING_TIMEOUT_S = 2.0  # It shares the snapshot's connection, and must not delay the snapshot.
UNKNOWN = -1


class Gap(Struct, frozen=True):
    """Sequences that never came, both ends included."""

    first: int
    last: int


class StreamState(Struct, frozen=True):
    """The reply to `GET /v1/streams/{id}`, over the batches within retention."""

    batches: Annotated[int, Meta(description="Received batches.")]
    accepted: int
    duplicates: int
    coarsened: int
    first_sequence: int
    last_sequence: int
    missing: Annotated[int, Meta(description="Sequences between first and last that never came.")]
    gaps: Annotated[list[Gap], Meta(max_length=GAPS_MAX, description="The first of them.")]
    dropped: Annotated[dict[str, int], Meta(description="Events the proxy says it lost, by reason.")]


_DROPPED = ", ".join(f"dropped_{reason} AS {reason}" for reason in DROP_REASONS)
_STATE = f"""
SELECT batches, accepted, duplicates, coarsened, first_sequence, last_sequence, missing, {_DROPPED}
FROM streams WHERE tenant_id = $1 AND stream_id = $2
"""  # noqa: S608 (the names are our own)
_GAPS = """
SELECT first, last FROM stream_gaps WHERE tenant_id = $1 AND stream_id = $2 ORDER BY first LIMIT $3
"""


async def state(connection: Connection, tenant_id: int, stream_id: UUID) -> StreamState:
    """Sum up a stream; raises StreamNotFound, also for a stream of another tenant."""
    row = await connection.fetchrow(_STATE, tenant_id, stream_id)
    if row is None:
        raise StreamNotFound
    gaps = await connection.fetch(_GAPS, tenant_id, stream_id, GAPS_MAX)
    return StreamState(
        batches=row["batches"],
        accepted=row["accepted"],
        duplicates=row["duplicates"],
        coarsened=row["coarsened"],
        first_sequence=row["first_sequence"],
        last_sequence=row["last_sequence"],
        missing=row["missing"],
        gaps=[Gap(gap["first"], gap["last"]) for gap in gaps],
        dropped={reason: row[reason] for reason in DROP_REASONS},
    )


# By tenant, so that the index finds the newest batches of each, and a busy tenant cannot make the query slow: 2,000
# batches are 33 a second, read every minute. A gap younger than 30 s may be a batch that is being retried. A late batch
# may fill a gap between two recent ones, so the whole ledger is searched. Many absurd gaps would overflow a bigint.
_MISSING = """
SELECT least(coalesce(sum(sequence - before - 1 - there), 0), 9007199254740991)::bigint AS missing
FROM tenants
CROSS JOIN LATERAL (
    SELECT stream_id, sequence, coalesce(
        lag(sequence) OVER (PARTITION BY stream_id ORDER BY sequence),
        (
            SELECT max(earlier.sequence) FROM batches AS earlier
            WHERE earlier.tenant_id = tenants.tenant_id AND earlier.stream_id = lately.stream_id
                AND earlier.sequence BETWEEN 0 AND lately.sequence - 1
        )
    ) AS before
    FROM (
        SELECT stream_id, sequence FROM batches
        WHERE tenant_id = tenants.tenant_id
            AND received_at BETWEEN now() - interval '10 minutes' AND now() - interval '30 seconds'
        ORDER BY received_at DESC LIMIT 2000
    ) AS lately
    WHERE sequence >= 0
) AS arrived
CROSS JOIN LATERAL (
    SELECT count(*) AS there FROM batches AS late
    WHERE late.tenant_id = tenants.tenant_id AND late.stream_id = arrived.stream_id
        AND late.sequence > arrived.before AND late.sequence < arrived.sequence
) AS found
WHERE sequence > before + 1
"""


async def missing_lately(connection: Connection) -> int:
    """Count the sequences missing before recent batches; return UNKNOWN if the database is too busy."""
    try:
        async with asyncio.timeout(MISSING_TIMEOUT_S):
            try:
                return int(await connection.fetchval(_MISSING))
            except asyncpg.FeatureNotSupportedError:
                return await missing_by_tenant(connection)
    except (TimeoutError, asyncpg.LockNotAvailableError, asyncpg.QueryCanceledError):
        return UNKNOWN


# Citus pushes a LATERAL with a LIMIT down to a node only for a single tenant, else it refuses (citus#5753).
_MISSING_OF = _MISSING.replace("FROM tenants\nCROSS JOIN LATERAL (", "FROM (").replace("tenants.tenant_id", "$1")
_TENANT_IDS = "SELECT tenant_id FROM tenants"


async def missing_by_tenant(connection: Connection) -> int:
    """Count the same, with a query for each tenant."""
    tenants = await connection.fetch(_TENANT_IDS)
    missing = [int(await connection.fetchval(_MISSING_OF, row["tenant_id"])) for row in tenants]
    return min(sum(missing), limits.SEQUENCE_MAX)


_USED = """
SELECT tenant_id, sum(greatest(accepted + duplicates, 1))::bigint AS events FROM batches
WHERE tenant_id = ANY($1) AND received_at >= date_trunc('minute', now()) GROUP BY tenant_id
"""


async def used_this_minute(connection: Connection, tenant_ids: list[int]) -> dict[int, int]:
    """Sum up the events of this minute, over all workers and services; duplicates count too."""
    return {row["tenant_id"]: row["events"] for row in await connection.fetch(_USED, tenant_ids)}
