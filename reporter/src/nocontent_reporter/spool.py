"""Keeps batches until the server has answered for them: in a SQLite file that processes share, or in memory.

A batch gets its sequence before it is first sent, and keeps it with its bytes until it is gone. Every method is one
transaction. sqlite3.Error escapes from all of them.
"""

from collections.abc import Iterable
from typing import NamedTuple

from nocontent_reporter import codings, columns, rows
from nocontent_reporter.database import Database
from nocontent_reporter.rows import WAITING, Batch, Db, Depth, Losses, Piece

AGE_MS_MAX = 2**62


class Bounds(NamedTuple):
    """The most that a spool keeps: what exceeds it is dropped, the oldest first."""

    bytes: int
    age_ms: int


class Spool:
    """The batches in one database."""

    def __init__(self, database: Database, bounds: Bounds) -> None:
        self.database = database
        self.bounds = bounds

    def append(self, batches: Iterable[tuple[int, bytes]], losses: Losses, wall_ms: int) -> None:
        """Keep packed batches, each with its number of events, and count losses."""
        with self.database.transaction() as db:
            age_ms = rows.advance(db, wall_ms)
            for events, body in batches:
                rows.make_room(db, len(body), self.bounds.bytes)
                rows.insert(db, age_ms, events, body)
            rows.report(db, losses)

    def next(self, events_max: int, wall_ms: int) -> Batch | None:
        """Return the batch to send: the one sent before, or the oldest events and losses, numbered now."""
        with self.database.transaction() as db:
            age_ms = rows.advance(db, wall_ms)
            self._expire(db, age_ms)
            batch = rows.fixed(db)
            if batch is None:
                waiting = rows.merged(db, events_max)
                losses = rows.take_losses(db)
                if waiting is not None or losses:
                    batch = rows.fix(db, waiting or rows.insert(db, 0, 0, b""), losses, wall_ms)
            return batch

    def done(self, batch: Batch) -> None:
        """Forget a batch that the server has stored."""
        with self.database.transaction() as db:
            rows.remove(db, [batch.id])

    def replace(self, batch: Batch, pieces: Iterable[Piece], refused: int) -> None:
        """Put pieces in the place of a batch that the server has refused, and count the events that are in none."""
        with self.database.transaction() as db:
            age_ms = rows.age_of(db, batch)
            if age_ms is None:
                return
            rows.remove(db, [batch.id])
            for piece in pieces:
                if piece.events:
                    row = rows.insert(db, age_ms, len(piece.events), codings.pack(columns.encode(piece.events)))
                    rows.set_apart(db, row, piece.parked_tag, piece.parked_until_ms, is_alone=piece.is_alone)
            rows.report(db, batch.dropped)
            rows.report(db, {"refused": refused})  # Counted by rule, so not as lost.

    def reuse_sequence(self, batch: Batch) -> None:
        """Give the sequence of a batch that the server certainly did not store to the next one: else it looks lost."""
        with self.database.transaction() as db:
            if rows.fixed(db) is None:
                rows.reuse_sequence(db, batch.stream_id, batch.sequence)

    def discard(self, batch: Batch) -> None:
        """Count the events of a batch that is damaged as lost."""
        with self.database.transaction() as db:
            if rows.age_of(db, batch) is None:
                return
            rows.remove(db, [batch.id])
            rows.report(db, batch.dropped)
            rows.lose(db, {"retries_exhausted": batch.events})

    def renumber(self, batch: Batch) -> None:
        """Begin a new stream, in which the batch will get another number."""
        with self.database.transaction() as db:
            if rows.age_of(db, batch) is not None:
                rows.unfix(db)
                rows.begin_stream(db)

    def release(self, policy_tag: str | None, wall_ms: int) -> None:
        """Let parked events be sent again: those of another policy than this one, and those whose moment has come."""
        with self.database.transaction() as db:
            db.execute("UPDATE batches SET parked_until_ms = NULL WHERE parked_until_ms <= ?", (wall_ms,))
            if policy_tag is not None:
                db.execute("UPDATE batches SET parked_tag = NULL WHERE parked_tag <> ?", (policy_tag,))
                db.execute("UPDATE state SET policy_tag = ?", (policy_tag,))

    def policy_tag(self) -> str:
        """Return the tag of the policy last seen, or an empty string."""
        return str(self.database.row("SELECT policy_tag FROM state")[0])

    def has_work(self, until_age_ms: int = AGE_MS_MAX) -> bool:
        """Return whether anything could be sent now, or any of it that is at least as old as a moment of `age_ms`."""
        batches = f"SELECT 1 FROM batches WHERE {WAITING} AND age_ms <= {until_age_ms}"
        return bool(self.database.row(f"SELECT EXISTS ({batches}) OR EXISTS (SELECT 1 FROM losses)")[0])

    def age_ms(self) -> int:
        """Return the moment up to which events have been added, by the clock by which they age."""
        return int(str(self.database.row("SELECT age_ms FROM state")[0]))

    def has_parked(self) -> bool:
        return bool(self.database.row(f"SELECT EXISTS (SELECT 1 FROM batches WHERE NOT ({WAITING}))")[0])

    def held(self) -> int:
        """Return the events, and the lost events that the server has not been told of."""
        with self.database.connected() as db:
            return rows.held(db)

    def depth(self) -> Depth:
        """Return how much the spool holds."""
        with self.database.connected() as db:
            return rows.depth(db)

    def _expire(self, db: Db, age_ms: int) -> None:
        old = f"FROM batches WHERE age_ms < {age_ms - self.bounds.age_ms} AND sequence IS NULL"
        counts = f"SELECT coalesce(sum(CASE WHEN {WAITING} THEN events END), 0), coalesce(sum(events), 0) {old}"
        waiting, total = db.execute(counts).fetchone()
        if total:
            rows.lose(db, {"retries_exhausted": waiting, "refused": total - waiting})
            db.execute(f"DELETE {old}")
