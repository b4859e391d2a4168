"""What the ledger says of one stream: received, missing, dropped; and of a tenant's use of its quota."""

from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from ingest.errors import StreamNotFound
from ingest.store.batches import NO_SEQUENCE
from ingest.store.pool import Connection
from schema.event import DROP_REASONS

GAPS_MAX = 100


class Gap(Struct, frozen=True):
    """Sequences that never came, both ends included."""

    first: int
    last: int


class StreamState(Struct, frozen=True):
    """The answer of `GET /v1/streams/{id}`, over the batches that retention has left."""

    batches: Annotated[int, Meta(description="Received batches.")]
    accepted: int
    duplicates: int
    coarsened: int
    first_sequence: int
    last_sequence: int
    missing: Annotated[int, Meta(description="Sequences between first and last that never came.")]
    gaps: Annotated[list[Gap], Meta(max_length=GAPS_MAX, description="The first of them.")]
    dropped: Annotated[dict[str, int], Meta(description="Events the proxy says it lost, by reason.")]


_DROPPED = ", ".join(f"sum(dropped_{reason})::bigint AS {reason}" for reason in DROP_REASONS)
_STATE = f"""
SELECT count(*) AS batches, sum(accepted)::bigint AS accepted, sum(duplicates)::bigint AS duplicates,
    sum(coarsened)::bigint AS coarsened, min(sequence) AS first_sequence, max(sequence) AS last_sequence, {_DROPPED}
FROM batches WHERE tenant_id = $1 AND stream_id = $2 AND sequence > $3
"""  # noqa: S608 (the names are our own)
_GAPS = """
SELECT sequence + 1 AS first, next - 1 AS last FROM (
    SELECT sequence, lead(sequence) OVER (ORDER BY sequence) AS next
    FROM batches WHERE tenant_id = $1 AND stream_id = $2 AND sequence > $3
) AS received
WHERE next > sequence + 1 ORDER BY sequence LIMIT $4
"""


async def state(connection: Connection, tenant_id: int, stream_id: UUID) -> StreamState:
    """Sum up a stream; raises StreamNotFound, also for a stream of another tenant."""
    (row,) = await connection.fetch(_STATE, tenant_id, stream_id, NO_SEQUENCE)
    if not row["batches"]:
        raise StreamNotFound
    gaps = await connection.fetch(_GAPS, tenant_id, stream_id, NO_SEQUENCE, GAPS_MAX)
    return StreamState(
        batches=row["batches"],
        accepted=row["accepted"],
        duplicates=row["duplicates"],
        coarsened=row["coarsened"],
        first_sequence=row["first_sequence"],
        last_sequence=row["last_sequence"],
        missing=row["last_sequence"] - row["first_sequence"] + 1 - row["batches"],
        gaps=[Gap(gap["first"], gap["last"]) for gap in gaps],
        dropped={reason: row[reason] for reason in DROP_REASONS},
    )


_USED = """
SELECT tenant_id, sum(accepted)::bigint AS events FROM batches
WHERE tenant_id = ANY($1) AND received_at >= date_trunc('minute', now()) GROUP BY tenant_id
"""


async def used_this_minute(connection: Connection, tenant_ids: list[int]) -> dict[int, int]:
    """Give the events stored in this minute, by all workers together."""
    return {row["tenant_id"]: row["events"] for row in await connection.fetch(_USED, tenant_ids)}
