"""The moment of an export: a snapshot of PostgreSQL's, by which later queries tell which rows it had.

A row carries the low 32 bits of the id of the transaction that inserted it (`xmin`), also once it is frozen. Events and
lines of the ledger are never updated by another transaction, and no writer uses a subtransaction, so that the row is of
the moment if and only if its transaction is.
"""

import re
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ingest.errors import IngestError
from ingest.store.connections import Connection

CHARS_MAX = 4_096
_FORM = re.compile(r"([1-9][0-9]{0,18}):([1-9][0-9]{0,18}):((?:[1-9][0-9]{0,18}(?:,[1-9][0-9]{0,18})*)?)")
_EPOCH = 2**32
_FIRST_NORMAL = 3  # Below are the ids of what initdb wrote, and of rows that old versions froze.
_BEHIND_MAX = 2**31
_SNAPSHOT = "SELECT pg_current_snapshot()::text"
_LATEST = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint"


class InvalidMoment(IngestError):
    """A snapshot is not one of PostgreSQL's, or not one of this database's, or 2³¹ transactions old."""

    parameter = "snapshot"


@dataclass(frozen=True, slots=True)
class Moment:
    """The transactions that had been committed."""

    xmin: int  # All before it had ended.
    xmax: int  # It and all after it had not begun.
    in_progress: tuple[int, ...]

    @classmethod
    def parse(cls, text: str) -> "Moment":
        """Read PostgreSQL's text of a snapshot; raises InvalidMoment."""
        found = _FORM.fullmatch(text) if len(text) <= CHARS_MAX else None
        if found is None:
            raise InvalidMoment
        first, end, between = int(found[1]), int(found[2]), found[3]
        moment = cls(first, end, tuple(int(each) for each in between.split(",") if each))
        if not moment._is_ordered():
            raise InvalidMoment
        return moment

    def _is_ordered(self) -> bool:
        ids = self.in_progress
        is_ascending = all(one < other for one, other in pairwise(ids))
        return self.xmin <= self.xmax < 2**63 and is_ascending and (
            not ids or (self.xmin <= ids[0] and ids[-1] < self.xmax)
        )  # fmt: skip

    def __str__(self) -> str:
        return f"{self.xmin}:{self.xmax}:{','.join(map(str, self.in_progress))}"

    def has(self, xids: npt.NDArray[np.uint32], latest: int) -> npt.NDArray[np.bool_]:
        """Return which rows the moment has, by `xmin`; `latest` is an id after all of theirs, read after the rows."""
        low = xids.astype(np.int64)
        full = low + latest // _EPOCH * _EPOCH
        full -= np.where(full > latest, _EPOCH, 0)
        is_committed = (full < self.xmax) & ~np.isin(full, np.array(self.in_progress, np.int64))
        return (low < _FIRST_NORMAL) | (full < self.xmin) | is_committed

    def require_known(self, latest: int) -> None:
        """Raise InvalidMoment unless rows can be told from later ones."""
        if not 0 <= latest - self.xmax < _BEHIND_MAX:
            raise InvalidMoment


async def take(connection: Connection) -> Moment:
    """Return the moment that the connection's statement, or REPEATABLE READ transaction, sees."""
    return Moment.parse(str(await connection.fetchval(_SNAPSHOT)))


async def latest(connection: Connection) -> int:
    """Return an id that no transaction had been given when the statement began."""
    return int(await connection.fetchval(_LATEST))
