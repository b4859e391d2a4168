"""What was erased of tenants and may come again, as one connection knows it. Decision 0027.

A writer leaves such events out. It knows the erasures up to a revision, and its ledger's own statement stores nothing
if there is another: then it reads them again. Knowledge ends with its connection, as a restored database's past does.
"""

from dataclasses import dataclass, field
from uuid import UUID
from weakref import WeakKeyDictionary

import asyncpg
import numpy as np
import numpy.typing as npt

from ingest.store import rows
from ingest.store.connections import Connection
from schema.limits import RETENTION_DAYS_MAX

NEWEST = "(SELECT coalesce(max(revision), 0) FROM erasures)"
_Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Tombstone:
    """An erasure of events in a range of times, in microseconds since 2000, both ends included."""

    scope: str
    first: int
    last: int
    erasure_id: UUID
    term_id: int | None  # Of a tag.


@dataclass(slots=True)
class Tombstones:
    """All that was erased of one tenant."""

    is_gone: bool = False  # The tenant itself.
    streams: dict[UUID, int] = field(default_factory=dict)  # And the last sequence that was erased.
    of_events: list[Tombstone] = field(default_factory=list)
    last: int = 0  # The greatest of these: most batches are younger.


@dataclass(slots=True)
class Erased:
    """The tombstones of all tenants that have one, as of the erasure with the greatest revision."""

    revision: int = 0
    tenants: dict[int, Tombstones] = field(default_factory=dict)


_erased: "WeakKeyDictionary[Connection, Erased]" = WeakKeyDictionary()


def known(connection: Connection) -> Erased:
    """Return what this connection has read: at first nothing, which is right until there is an erasure."""
    return _erased.get(connection) or _erased.setdefault(connection, Erased())


_MICROSECONDS = "(extract(epoch FROM least(greatest({}, '2000-01-01Z'), '9999-01-01Z')) - 946684800) * 1000000"
# An event is never stored after its day has left the window. A longer retention reaches back to days that have, by so
# many days at most.
_READ = f"""
SELECT newest.revision AS newest, tenant_id, scope, stream_id, sequence, erasure_id, term_id,
    ({_MICROSECONDS.format("first")})::bigint AS first, ({_MICROSECONDS.format("last")})::bigint AS last
FROM (SELECT {NEWEST} AS revision) AS newest
LEFT JOIN erasures ON coalesce(last, requested_at)
    >= coalesce((SELECT horizon FROM retention WHERE retention_id = 1), '-infinity') - {RETENTION_DAYS_MAX}
"""  # noqa: S608 (constants of our own)


async def read(connection: Connection) -> None:
    """Read all erasures that can still matter, and forget what was known before."""
    erased = Erased()
    for row in await connection.fetch(_READ):
        erased.revision = row["newest"]
        if row["tenant_id"] is not None:
            _add(erased.tenants.setdefault(row["tenant_id"], Tombstones()), row)
    _erased[connection] = erased


def _add(tombstones: Tombstones, row: asyncpg.Record) -> None:
    if row["scope"] == "tenant":
        tombstones.is_gone = True
    elif row["scope"] == "stream":
        known = tombstones.streams.get(row["stream_id"], 0)
        tombstones.streams[row["stream_id"]] = max(known, row["sequence"])
    else:
        names = ("scope", "first", "last", "erasure_id", "term_id")
        tombstones.of_events.append(Tombstone(*(row[name] for name in names)))
        tombstones.last = max(tombstones.last, row["last"])


async def sift(connection: Connection, tenant_id: int, tombstones: Tombstones, part: bytes) -> bytes:
    """Return a batch's rows without those that were erased."""
    stored = np.frombuffer(part, rows.ROW)
    if not len(stored):
        return part
    times = stored["occurred_at"].astype(np.int64)
    oldest, newest = int(times.min()), int(times.max())
    if oldest > tombstones.last:
        return part
    terms = {None, *np.unique(np.concatenate([stored[name] for name in rows.TAG_COLUMNS])).tolist()}
    near = [
        each for each in tombstones.of_events if each.first <= newest and oldest <= each.last and each.term_id in terms
    ]
    is_erased = np.zeros(len(stored), np.bool_)
    for each in near:
        if each.scope != "events":
            is_named = (each.first <= times) & (times <= each.last)
            is_erased |= is_named if each.term_id is None else is_named & _has_tag(stored, each.term_id)
    if sought := [each.erasure_id for each in near if each.scope == "events"]:
        is_erased |= await _are_named(connection, tenant_id, sought, part)
    return stored.compress(~is_erased).tobytes() if is_erased.any() else part


def _has_tag(stored: npt.NDArray[np.void], term_id: int) -> _Mask:
    is_named = np.zeros(len(stored), np.bool_)
    for name in rows.TAG_COLUMNS:
        is_named |= stored[name] == term_id
    return is_named


# Ids stay in the database: only a batch that is as old as they are asks for them.
_NAMED = """
SELECT event_id FROM erasure_events WHERE tenant_id = $1 AND erasure_id = ANY($2::uuid[]) AND event_id = ANY($3::uuid[])
"""


async def _are_named(connection: Connection, tenant_id: int, sought: list[UUID], part: bytes) -> _Mask:
    ids = rows.event_ids(part)
    named = {row["event_id"] for row in await connection.fetch(_NAMED, tenant_id, sought, ids)}
    return np.array([event_id in named for event_id in ids], np.bool_)
