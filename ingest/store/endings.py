"""Every way a transaction can end but well, as data: what the writer does, and what a sender then hears.

docs/outcomes.md has the whole table, with what is stored; `tests/faults/` brings each row about on a real server.
Appendix A of PostgreSQL's manual lists the SQLSTATEs; the first two characters are the class.
"""

import enum
import ssl
from collections.abc import Mapping
from typing import NamedTuple

import asyncpg

from ingest.errors import IngestError, Unavailable
from ingest.store.errors import OutcomeUnknown, Unstorable


class Act(enum.Enum):
    """The writer's reaction to a failed transaction."""

    SKIP = "store the group again without the events that are there"
    AGAIN = "repeat the transaction"
    SPLIT = "store the group in halves, until what is to blame stands alone"
    WAIT = "nothing was stored; the next group may fare better"
    LEAVE = "nothing was stored; connect anew"
    DOUBT = "nobody knows what was stored; connect anew"


class Ending(NamedTuple):
    """`answer` is for the batches that are not stored by whatever `act` does."""

    act: Act
    answer: type[IngestError]


# A sender may send again what is Unavailable or OutcomeUnknown, and need not try with what is Unstorable: only a value
# of its own batch is that. What an operator can mend is never answered as permanent.
KNOWN: Mapping[str, Ending] = {
    "0A000": Ending(Act.AGAIN, Unavailable),  # A migration changed what a prepared statement returns.
    "08P01": Ending(Act.SPLIT, Unstorable),  # A row that COPY cannot read. Not a lost connection, for all its class.
    "22": Ending(Act.SPLIT, Unstorable),
    "22023": Ending(Act.LEAVE, Unavailable),  # Of the session: the role is gone.
    "23": Ending(Act.SPLIT, Unavailable),  # Our rows are whole: somebody has added a constraint of another kind.
    "23505": Ending(Act.SKIP, Unavailable),
    "23514": Ending(Act.SPLIT, Unstorable),
    "25006": Ending(Act.LEAVE, Unavailable),  # A standby, or a former primary.
    "26": Ending(Act.LEAVE, Unavailable),  # A connection pooler gave us another session.
    "42P05": Ending(Act.LEAVE, Unavailable),  # The same: another client of the pooler has prepared one of that name.
    "40": Ending(Act.AGAIN, Unavailable),
    "55P03": Ending(Act.SPLIT, Unavailable),  # One partition or one batch's key is locked; the others are not.
    "58": Ending(Act.SPLIT, Unavailable),  # One file cannot be read.
    "XX": Ending(Act.SPLIT, Unavailable),  # One table or index is damaged.
}
# What is counted apart (manual, appendix A); any other class is `other`.
SQLSTATE_CLASSES = (
    "08", "0A", "22", "23", "25", "26", "28", "3D", "40", "42", "53", "54", "55", "57", "58", "XX",
)  # fmt: skip
# Any other: 42 rights and tables, 53 disk and memory, 57014 cancelled. All the operator's.
AWAY = Ending(Act.WAIT, Unavailable)
_NO_PARTITION = Ending(Act.SPLIT, Unavailable)  # A 23514 of no constraint: the maintainer is late.
_LOST = Ending(Act.DOUBT, OutcomeUnknown)
UNCONFIRMED = Ending(Act.WAIT, OutcomeUnknown)  # Stored here, and on no standby as far as anybody knows.

# What the driver raises besides what PostgreSQL said.
LOST = (
    asyncpg.InterfaceError,  # "connection is closed".
    asyncpg.InternalClientError,  # "cannot switch to state", in a fail-over.
    ssl.SSLError,
    OSError,
    TimeoutError,
)


def outcome(error: BaseException) -> str:
    """Return the metric's label for a transaction that raised this: the class of its SQLSTATE."""
    if not isinstance(error, asyncpg.PostgresError):
        return "lost"
    found = str(error.sqlstate)[:2]
    return found if found in SQLSTATE_CLASSES else "other"


def of(error: BaseException) -> Ending:
    """Return how a transaction ended, by the exception it raised."""
    # FATAL takes the connection with it. ERROR does not, and in answer to COMMIT it says that nothing was stored.
    if not isinstance(error, asyncpg.PostgresError) or error.severity_en != "ERROR":
        return _LOST
    state = str(error.sqlstate)
    if state == asyncpg.ProtocolViolationError.sqlstate and not error.server_source_function:
        return _LOST  # A connection pooler says so and not PostgreSQL, which names a place of its source.
    if state == asyncpg.CheckViolationError.sqlstate and error.constraint_name is None:
        return _NO_PARTITION
    return KNOWN.get(state) or KNOWN.get(state[:2], AWAY)
