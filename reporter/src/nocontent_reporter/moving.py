"""Moves batches from one spool to another: from memory to a file that can be written again, and from one removed."""

import sqlite3
from typing import NamedTuple

from nocontent_reporter import rows
from nocontent_reporter.rows import MERGED_MAX, Db
from nocontent_reporter.spool import Spool


class _Moved(NamedTuple):
    """A batch on its way."""

    id: int
    events: int
    body: bytes
    parked_tag: str | None
    parked_until_ms: int | None


def move(source: Spool, target: Spool, wall_ms: int) -> None:
    """Move all but a batch that has its sequence, because it may be on its way to the server; raises sqlite3.Error."""
    while True:
        with source.database.transaction() as db:
            moved, losses = _taken(db), rows.take_losses(db)
        if not moved and not losses:
            return
        try:
            _add(target, moved, losses, wall_ms)
        except sqlite3.Error:
            _add(source, moved, losses, wall_ms)
            raise


def move_all(source: Spool, target: Spool, wall_ms: int) -> None:
    """Move everything, with a new sequence for a batch that has one; raises sqlite3.Error."""
    with source.database.transaction() as db:
        rows.unfix(db)
    move(source, target, wall_ms)


def _taken(db: Db) -> list[_Moved]:
    names = "id, events, body, parked_tag, parked_until_ms"
    asked = f"SELECT {names} FROM batches WHERE sequence IS NULL ORDER BY age_ms, id LIMIT {MERGED_MAX}"
    moved = [_Moved(*row) for row in db.execute(asked)]
    rows.remove(db, [each.id for each in moved])
    return moved


def _add(target: Spool, moved: list[_Moved], losses: rows.Losses, wall_ms: int) -> None:
    with target.database.transaction() as db:
        age_ms = rows.advance(db, wall_ms)
        for each in moved:
            rows.make_room(db, len(each.body), target.bounds.bytes)
            batch_id = rows.insert(db, age_ms, each.events, each.body)
            rows.set_apart(db, batch_id, each.parked_tag, each.parked_until_ms)
        rows.report(db, losses)
