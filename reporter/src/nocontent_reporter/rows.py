"""The rows of a spool, and what is done to them inside a transaction; every function takes the connection.

The README has the format. Deletes do not use RETURNING: Debian's SQLite 3.34 has none.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from nocontent_reporter import codings, columns, contract
from nocontent_reporter.event import Event
from nocontent_reporter.ids import time_ms, uuid7

Losses = Mapping[str, int]
FORMAT = 1
APPLICATION_ID = 0x6E637370  # "ncsp", for file(1).
STREAM_MS_MAX = 30 * 86_400_000  # Then a new stream begins: the server takes none that is older than 400 days.
assert STREAM_MS_MAX < contract.STREAM_MS_MAX
AGE_STEP_MS_MAX = 86_400_000  # A clock that jumps ahead ages nothing by more than a day at once.
MERGED_MAX = 256  # Rows that become one batch.
WAITING = "parked_tag IS NULL AND parked_until_ms IS NULL"
SCHEMA = (
    """
    CREATE TABLE state (
        stream_id TEXT NOT NULL, next_sequence INTEGER NOT NULL, wall_ms INTEGER NOT NULL, age_ms INTEGER NOT NULL,
        policy_tag TEXT NOT NULL
    )
    """,
    """
    CREATE TABLE batches (
        id INTEGER PRIMARY KEY AUTOINCREMENT, age_ms INTEGER NOT NULL, events INTEGER NOT NULL, body BLOB NOT NULL,
        alone INTEGER NOT NULL DEFAULT 0, sequence INTEGER UNIQUE, dropped TEXT,
        parked_tag TEXT, parked_until_ms INTEGER
    )
    """,
    "CREATE INDEX oldest ON batches (age_ms, id)",
    "CREATE INDEX parked ON batches (parked_tag, parked_until_ms)",
    "CREATE TABLE losses (reason TEXT PRIMARY KEY, events INTEGER NOT NULL)",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {FORMAT}",
)


class Db(sqlite3.Connection):
    """A connection to a spool, with the losses that its open transaction counts."""

    def __init__(self, *given: object, **named: object) -> None:
        super().__init__(*given, **named)  # type: ignore[arg-type]  # As sqlite3.connect calls it.
        self.lost: Counter[str] = Counter()


class Batch(NamedTuple):
    """A batch with its place in the stream; one without events reports losses alone."""

    id: int
    stream_id: str
    sequence: int
    dropped: Losses
    events: int
    body: bytes  # As codings.pack packs it.

    def wire(self, coding: codings.Coding) -> bytes:
        """Return the body as sent."""
        beginning = columns.envelope(self.stream_id, self.sequence, self.dropped, has_events=self.events > 0)
        return codings.wire(beginning, self.body, coding)

    def columns(self) -> columns.Columns:
        """Return what violations point at."""
        return columns.decode(codings.unpack(self.body))


class Piece(NamedTuple):
    """Events that were part of a refused batch.

    Parked ones wait for another policy than that with a tag, or for a moment. One that is alone is not merged with
    others: the server refused the whole, and it is not known why.
    """

    events: Sequence[Event]
    parked_tag: str | None = None
    parked_until_ms: int | None = None
    is_alone: bool = False


class Depth(NamedTuple):
    """How much a spool holds; bytes are those of the pages in use."""

    waiting: int
    parked: int
    batches: int
    bytes: int


def create(db: Db, wall_ms: int) -> None:
    """Create the tables, unless they are there."""
    if db.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,):
        for statement in SCHEMA:
            db.execute(statement)
        db.execute("INSERT INTO state VALUES (?, 0, ?, 0, '')", (uuid7(), wall_ms))


def insert(db: Db, age_ms: int, events: int, body: bytes) -> int:
    """Add a batch, and return its id."""
    added = db.execute("INSERT INTO batches (age_ms, events, body) VALUES (?, ?, ?)", (age_ms, events, body))
    assert added.lastrowid is not None
    return added.lastrowid


def lose(db: Db, losses: Losses) -> None:
    """Count events that are lost now."""
    db.lost.update(losses)
    report(db, losses)


def report(db: Db, losses: Losses) -> None:
    """Have losses reported by the next batch."""
    counts = [(reason, events) for reason, events in losses.items() if events]
    db.executemany("INSERT OR IGNORE INTO losses VALUES (?, 0)", [(reason,) for reason, _ in counts])
    db.executemany(
        "UPDATE losses SET events = events + ? WHERE reason = ?", [(events, reason) for reason, events in counts]
    )


def take_losses(db: Db) -> dict[str, int]:
    """Return the losses that no batch reports yet; the batch that does is made in the same transaction."""
    found = db.execute("SELECT reason, events FROM losses").fetchall()
    db.execute("DELETE FROM losses")
    return {reason: min(events, contract.DROPPED_MAX) for reason, events in found}


def held(db: Db) -> int:
    """Return the events, and the lost events that the server has not been told of."""
    events, lost, dropped = db.execute(
        """
        SELECT (SELECT coalesce(sum(events), 0) FROM batches), (SELECT coalesce(sum(events), 0) FROM losses),
               (SELECT dropped FROM batches WHERE sequence IS NOT NULL)
        """
    ).fetchone()
    return int(events + lost) + (sum(json.loads(dropped).values()) if dropped is not None else 0)


def fixed(db: Db) -> Batch | None:
    """Return the batch that has its sequence, if there is one."""
    row = db.execute(
        "SELECT id, stream_id, sequence, dropped, events, body FROM batches, state WHERE sequence IS NOT NULL"
    ).fetchone()
    return Batch(row[0], row[1], row[2], json.loads(row[3]), row[4], row[5]) if row else None


def age_of(db: Db, batch: Batch) -> int | None:
    """Return the age of a batch; None if another process has dealt with it."""
    found = db.execute(
        "SELECT age_ms FROM batches WHERE id = ? AND sequence = ?", (batch.id, batch.sequence)
    ).fetchone()
    return None if found is None else int(found[0])


def set_apart(
    db: Db, batch_id: int, parked_tag: str | None, parked_until_ms: int | None, *, is_alone: bool = False
) -> None:
    """Park a batch, or keep it from being merged."""
    db.execute(
        "UPDATE batches SET parked_tag = ?, parked_until_ms = ?, alone = ? WHERE id = ?",
        (parked_tag, parked_until_ms, is_alone, batch_id),
    )


def unfix(db: Db) -> None:
    """Take the sequence from the batch that has one, and have its losses reported by the next batch."""
    batch = fixed(db)
    if batch is not None:
        db.execute("UPDATE batches SET sequence = NULL, dropped = NULL WHERE id = ?", (batch.id,))
        db.execute("DELETE FROM batches WHERE events = 0")
        report(db, batch.dropped)


def fix(db: Db, batch_id: int, losses: Losses, wall_ms: int) -> Batch:
    """Give a batch the next sequence and the losses to report."""
    (stream_id,) = db.execute("SELECT stream_id FROM state").fetchone()
    if wall_ms - time_ms(stream_id) > STREAM_MS_MAX:
        begin_stream(db)
    db.execute(
        "UPDATE batches SET sequence = (SELECT next_sequence FROM state), dropped = ? WHERE id = ?",
        (json.dumps(dict(losses)), batch_id),
    )
    db.execute("UPDATE state SET next_sequence = next_sequence + 1")
    batch = fixed(db)
    assert batch is not None
    return batch


def reuse_sequence(db: Db, stream_id: str, sequence: int) -> None:
    """Give the next batch a sequence again, if no other has been given since."""
    db.execute(
        "UPDATE state SET next_sequence = ? WHERE stream_id = ? AND next_sequence = ?",
        (sequence, stream_id, sequence + 1),
    )


def begin_stream(db: Db) -> None:
    db.execute("UPDATE state SET stream_id = ?, next_sequence = 0", (uuid7(),))


class _Row(NamedTuple):
    id: int
    age_ms: int
    events: int
    is_alone: int


def merged(db: Db, events_max: int) -> int | None:
    """Return the id of a row with the oldest waiting events, merged from several; None if no event waits."""
    asked = f"SELECT id, age_ms, events, alone FROM batches WHERE {WAITING} ORDER BY age_ms, id LIMIT {MERGED_MAX}"
    waiting = [_Row(*row) for row in db.execute(asked)]
    if not waiting:
        return None
    taken = list(_prefix(waiting, events_max))
    first = waiting[0]
    if len(taken) == 1 and first.events <= events_max:
        return first.id
    found = [event for row in taken for event in _events(db, row)]
    remove(db, [row.id for row in taken])
    pieces = [found[start : start + events_max] for start in range(0, len(found), events_max)]
    ids = [insert(db, first.age_ms, len(piece), codings.pack(columns.encode(piece))) for piece in pieces]
    return ids[0] if ids else None


def _prefix(waiting: Sequence[_Row], events_max: int) -> Iterator[_Row]:
    """Yield the first row, and those after it as long as all have few enough events."""
    events = 0
    for row in waiting:
        events += row.events
        if row is not waiting[0] and (events > events_max or row.is_alone or waiting[0].is_alone):
            return
        yield row


def _events(db: Db, row: _Row) -> list[Event]:
    """Return a row's events; those of a damaged row are lost and counted."""
    (body,) = db.execute("SELECT body FROM batches WHERE id = ?", (row.id,)).fetchone()
    try:
        return columns.decode(codings.unpack(body)).events()
    except columns.DAMAGE:
        lose(db, {"retries_exhausted": row.events})
        return []


def remove(db: Db, ids: Sequence[int]) -> None:
    db.executemany("DELETE FROM batches WHERE id = ?", [(each,) for each in ids])


def make_room(db: Db, wanted: int, bytes_max: int) -> None:
    """Drop the oldest batches that are not being sent until there is room for more bytes."""
    while used_bytes(db) + wanted > bytes_max:
        asked = "SELECT id, events FROM batches WHERE sequence IS NULL ORDER BY age_ms, id LIMIT 1"
        oldest = db.execute(asked).fetchone()
        if oldest is None:
            return
        remove(db, [oldest[0]])
        lose(db, {"queue_full": oldest[1]})


def advance(db: Db, wall_ms: int) -> int:
    """Advance the clock by which batches age, and return it."""
    then_ms, age_ms = db.execute("SELECT wall_ms, age_ms FROM state").fetchone()
    age_ms += min(max(0, wall_ms - then_ms), AGE_STEP_MS_MAX)
    db.execute("UPDATE state SET wall_ms = ?, age_ms = ?", (wall_ms, age_ms))
    return int(age_ms)


def used_bytes(db: sqlite3.Connection) -> int:
    """Return the bytes of the pages in use."""
    (pages,), (free,), (size,) = (
        db.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


def depth(db: Db) -> Depth:
    """Return how much there is."""
    batches, events, waiting = db.execute(
        f"SELECT count(*), coalesce(sum(events), 0), coalesce(sum(CASE WHEN {WAITING} THEN events END), 0) FROM batches"
    ).fetchone()
    return Depth(waiting, events - waiting, batches, used_bytes(db))
