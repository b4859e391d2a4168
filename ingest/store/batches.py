"""Stores a group of batches in one transaction: ledger, rows and marks of usage, or nothing.

The ledger detects a replayed batch, the primary key a repeated event, and tombstones an erased one. COPY serves the
usual case, because repeats are rare; INSERT with ON CONFLICT serves groups that COPY cannot store.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from uuid import UUID

import asyncpg

from ingest.knowledge.errors import RevokedToken
from ingest.store import metrics, rows, session, tombstones
from ingest.store.connections import Connection
from ingest.store.errors import SequenceReused
from ingest.store.usage import marks
from schema.event import DROP_REASONS
from schema.receipt import Receipt

NO_SEQUENCE = -1
COMMIT_TIMEOUT_S = 20.0  # For a whole transaction, longer than any flush takes; each statement has 10 s.


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A batch that waits to be stored: its line in the ledger, and its rows ready to be copied."""

    tenant_id: int
    stream_id: UUID  # The digest, if the batch has no stream.
    sequence: int  # NO_SEQUENCE, if it has none.
    digest: UUID
    events: int
    coarsened: int
    dropped: tuple[int, ...]  # In the order of DROP_REASONS.
    rows: bytes
    erased: int = 0  # Of `events`, those that are not in `rows`, because they were erased.

    @property
    def weight(self) -> int:
        """Return the rows it counts for against any bound: a batch of losses alone has no rows, but is not free."""
        return max(1, self.events)

    @property
    def key(self) -> tuple[int, UUID, int]:
        return self.tenant_id, self.stream_id, self.sequence


Outcome = Receipt | SequenceReused | RevokedToken


class _Stale(Exception):
    """There is an erasure that this connection has not read: the ledger took nothing."""


_DROPPED = ", ".join(f"dropped_{reason}" for reason in DROP_REASONS)
_LEDGER = f"""
INSERT INTO batches (tenant_id, stream_id, sequence, digest, accepted, duplicates, coarsened, {_DROPPED})
SELECT tenant_id, stream_id, sequence, digest, accepted, duplicates, coarsened, {_DROPPED}
FROM unnest(
    $2::integer[], $3::uuid[], $4::bigint[], $5::uuid[], $6::integer[], $7::integer[],
    $8::integer[], $9::integer[], $10::integer[], $11::integer[], $12::integer[]
) AS entry (tenant_id, stream_id, sequence, digest, accepted, duplicates, coarsened, {_DROPPED})
WHERE {tombstones.NEWEST} = $1
ON CONFLICT DO NOTHING
RETURNING tenant_id, stream_id, sequence
"""  # noqa: S608 (the names are our own)
# The lock is written to the WAL, so that COMMIT waits for a synchronous standby: that may lack the first batch if its
# COMMIT was cut off, and a read-only transaction would not wait. For one tenant, because Citus cannot lock rows of
# several nodes at once.
_FIRST = """
SELECT stream_id, sequence, digest, accepted, duplicates, coarsened
FROM batches JOIN unnest($2::uuid[], $3::bigint[]) AS replayed (stream_id, sequence) USING (stream_id, sequence)
WHERE tenant_id = $1
ORDER BY stream_id, sequence
FOR NO KEY UPDATE OF batches
"""
_SETTLE = """
UPDATE batches SET accepted = $4, duplicates = $5 WHERE tenant_id = $1 AND stream_id = $2 AND sequence = $3
"""


async def store(connection: Connection, entries: Sequence[Entry]) -> list[Outcome]:
    """Store a group in one transaction by COPY; raises UniqueViolationError if any event is stored already."""
    return await _transact(connection, entries, _copy)


async def store_skipping(connection: Connection, entries: Sequence[Entry]) -> list[Outcome]:
    """Store a group in one transaction, skipping events that are stored already."""
    return await _transact(connection, entries, _insert)


_Write = Callable[[Connection, Sequence[Entry]], Awaitable[dict[Entry, Receipt]]]


async def _transact(connection: Connection, entries: Sequence[Entry], write: _Write) -> list[Outcome]:
    """Return the outcomes after COMMIT. After an ERROR the connection is as before; after anything else, unusable."""
    while True:
        await connection.execute(session.begin(connection))
        try:
            return await _attempt(connection, entries, write)
        except asyncpg.PostgresError as error:
            if error.severity_en == "ERROR":
                await connection.execute("ROLLBACK")
            raise
        except _Stale:
            await connection.execute("ROLLBACK")
            await tombstones.read(connection)


async def _attempt(connection: Connection, entries: Sequence[Entry], write: _Write) -> list[Outcome]:
    sifted = await _sift(connection, entries)
    kept = [each for each in sifted if isinstance(each, Entry)]
    fresh = await _enter(connection, kept) if kept else []
    outcomes = iter(await _outcomes(connection, kept, await write(connection, fresh) if fresh else {}))
    ended = await _commit(connection)
    assert ended == "COMMIT", "PostgreSQL answers ROLLBACK if it could not commit"
    _count(fresh)
    return [next(outcomes) if isinstance(each, Entry) else each for each in sifted]


async def _sift(connection: Connection, entries: Sequence[Entry]) -> Sequence[Entry | RevokedToken]:
    """Return the entries without what was erased, as far as this connection knows; those of an erased tenant fail."""
    erased = tombstones.known(connection).tenants
    if not erased:
        return entries
    return [
        await _sift_one(connection, erased[entry.tenant_id], entry) if entry.tenant_id in erased else entry
        for entry in entries
    ]


async def _sift_one(connection: Connection, of_tenant: tombstones.Tombstones, entry: Entry) -> Entry | RevokedToken:
    if of_tenant.is_gone:
        return RevokedToken()
    if entry.sequence <= of_tenant.streams.get(entry.stream_id, NO_SEQUENCE):
        entry = replace(entry, stream_id=entry.digest, sequence=NO_SEQUENCE)
    kept = await tombstones.sift(connection, entry.tenant_id, of_tenant, entry.rows)
    return replace(entry, rows=kept, erased=(len(entry.rows) - len(kept)) // rows.ROW_BYTES)


def _count(fresh: Sequence[Entry]) -> None:
    """Count new batches only, so that the metrics agree with the ledger."""
    metrics.coarsened_terms.inc(sum(entry.coarsened for entry in fresh))
    metrics.erased_events_ignored.inc(sum(entry.erased for entry in fresh))
    for reason, counts in zip(DROP_REASONS, zip(*(entry.dropped for entry in fresh), strict=True), strict=False):
        metrics.dropped_events.labels(reason).inc(sum(counts))


async def _commit(connection: Connection) -> str:
    """Commit, and return PostgreSQL's command tag; a COMMIT that fails is timed, too."""
    began = time.perf_counter()
    try:
        return await connection.execute("COMMIT")
    finally:
        metrics.commit_seconds.observe(time.perf_counter() - began)


async def _enter(connection: Connection, entries: Sequence[Entry]) -> list[Entry]:
    """Write the ledger in key order, so that two writers cannot deadlock; return the entries that were new."""
    by_key = {entry.key: entry for entry in reversed(entries)}  # The first to arrive, if two have the same key.
    ordered = sorted(by_key.values(), key=lambda entry: entry.key)
    first = [
        (*entry.key, entry.digest, entry.events - entry.erased, entry.erased, entry.coarsened, *entry.dropped)
        for entry in ordered
    ]
    revision = tombstones.known(connection).revision
    entered = await connection.fetch(_LEDGER, revision, *map(list, zip(*first, strict=True)))
    return [by_key[row["tenant_id"], row["stream_id"], row["sequence"]] for row in entered]


async def _copy(connection: Connection, entries: Sequence[Entry]) -> dict[Entry, Receipt]:
    merged = rows.merge([entry.rows for entry in entries])
    receipts = {entry: Receipt(entry.events - entry.erased, entry.erased, entry.coarsened) for entry in entries}
    if not merged:
        return receipts  # Losses alone, or nothing that was not erased.

    async def source() -> AsyncIterator[bytes]:
        yield rows.HEADER
        yield merged
        yield rows.TRAILER

    await connection.copy_to_table("events", source=source(), columns=rows.COLUMNS, format="binary")
    await marks.insert(connection, marks.of_rows(merged))
    return receipts


_ARRAYS = {"occurred_at": "bigint", "event_id": "uuid", "cost_nanousd": "bigint", "baseline_cost_nanousd": "bigint"}
_PLACES = ", ".join(f"${place}::{_ARRAYS.get(name, 'integer')}[]" for place, name in enumerate(rows.COLUMNS, 1))
_VALUES = ", ".join(
    "'2000-01-01T00:00:00Z'::timestamptz + occurred_at * interval '1 microsecond'" if name == "occurred_at" else name
    for name in rows.COLUMNS
)
_INSERT = f"""
INSERT INTO events ({", ".join(rows.COLUMNS)})
SELECT {_VALUES} FROM unnest({_PLACES}) AS event ({", ".join(rows.COLUMNS)})
ON CONFLICT DO NOTHING
RETURNING tenant_id, event_id
"""  # noqa: S608 (the names are our own)


async def _insert(connection: Connection, entries: Sequence[Entry]) -> dict[Entry, Receipt]:
    """Insert the events that are not stored yet; one that two batches of the group have counts for the first."""
    added = await connection.fetch(_INSERT, *rows.columns(rows.merge([entry.rows for entry in entries])))
    new = {(row["tenant_id"], row["event_id"]) for row in added}
    if new:
        await marks.insert(connection, marks.of_ids(new))
    receipts = {}
    for entry in entries:
        own = {(entry.tenant_id, event_id) for event_id in rows.event_ids(entry.rows)} & new
        new -= own
        receipts[entry] = Receipt(len(own), entry.events - len(own), entry.coarsened)
    settled = [(*entry.key, receipt.accepted, receipt.duplicates) for entry, receipt in receipts.items()]
    await connection.executemany(_SETTLE, [row for row in settled if row[-1]])
    return receipts


async def _outcomes(connection: Connection, entries: Sequence[Entry], receipts: dict[Entry, Receipt]) -> list[Outcome]:
    """Return each entry's outcome; one that the ledger had already gets the receipt stored there. Raises _Stale."""
    if len(receipts) == len(entries):
        return [receipts[entry] for entry in entries]
    first: dict[tuple[int, UUID, int], asyncpg.Record] = {}
    replayed = sorted(entry.key for entry in entries if entry not in receipts)
    for tenant_id, keys in groupby(replayed, lambda key: key[0]):
        found = await connection.fetch(_FIRST, tenant_id, *map(list, list(zip(*keys, strict=True))[1:]))
        first |= {(tenant_id, row["stream_id"], row["sequence"]): row for row in found}
    if len(first) < len(set(replayed)):
        raise _Stale
    return [receipts.get(entry) or _replay(entry, first[entry.key]) for entry in entries]


def _replay(entry: Entry, first: asyncpg.Record) -> Outcome:
    if entry.sequence == NO_SEQUENCE:
        return Receipt(0, entry.events, entry.coarsened)
    if first["digest"] != entry.digest:
        return SequenceReused()
    return Receipt(first["accepted"], first["duplicates"], first["coarsened"], replayed=True)
