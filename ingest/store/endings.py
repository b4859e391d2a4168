"""Maps every way a transaction can fail to what the writer does next and which error the sender gets.

docs/outcomes.md has the whole table, with what is stored; `tests/faults/` reproduces each row on a real server.
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

    SKIP = "store the group again without the events that are stored already"
    AGAIN = "repeat the transaction"
    SPLIT = "store the group in halves, until the batch at fault is alone"
    WAIT = "nothing was stored; the next group may succeed"
    LEAVE = "nothing was stored; reconnect"
    DOUBT = "the outcome is unknown; reconnect"


class Ending(NamedTuple):
    """A failed transaction: `answer` is raised for each batch that `act` does not get stored."""

    act: Act
    answer: type[IngestError]


# A sender retries after Unavailable and OutcomeUnknown, and drops the batch after Unstorable: only a value of the batch
# itself causes that. A fault that an operator can repair is never answered as permanent.
KNOWN: Mapping[str, Ending] = {
    "0A000": Ending(Act.AGAIN, Unavailable),  # A migration changed what a prepared statement returns.
    "08P01": Ending(Act.SPLIT, Unstorable),  # A row that COPY cannot read; despite its class not a lost connection.
    "22": Ending(Act.SPLIT, Unstorable),
    "22023": Ending(Act.LEAVE, Unavailable),  # Of the session: the role is gone.
    "23": Ending(Act.SPLIT, Unavailable),  # Our rows are complete: somebody added a constraint of their own.
    "23505": Ending(Act.SKIP, Unavailable),
    "23514": Ending(Act.SPLIT, Unstorable),
    "25006": Ending(Act.LEAVE, Unavailable),  # A standby, or a former primary.
    "26": Ending(Act.LEAVE, Unavailable),  # A connection pooler switched our session.
    "42P05": Ending(Act.LEAVE, Unavailable),  # The same: another client of the pooler used the statement's name.
    "40": Ending(Act.AGAIN, Unavailable),
    "55P03": Ending(Act.SPLIT, Unavailable),  # One partition or one batch's key is locked; the others are not.
    "58": Ending(Act.SPLIT, Unavailable),  # One file cannot be read.
    "XX": Ending(Act.SPLIT, Unavailable),  # One table or index is damaged.
}
# Classes with a label of their own (manual, appendix A); any other is counted as `other`.
SQLSTATE_CLASSES = (
    "08", "0A", "22", "23", "25", "26", "28", "3D", "40", "42", "53", "54", "55", "57", "58", "XX",
)  # fmt: skip
# Any other: 42 privileges and tables, 53 disk and memory, 57014 cancelled. All are for the operator to repair.
AWAY = Ending(Act.WAIT, Unavailable)
_NO_PARTITION = Ending(Act.SPLIT, Unavailable)  # A 23514 without a constraint: the maintainer is late.
_LOST = Ending(Act.DOUBT, OutcomeUnknown)
UNCONFIRMED = Ending(Act.WAIT, OutcomeUnknown)  # Stored here, but perhaps on no standby.

# Errors of the driver, beside those that PostgreSQL sends.
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
    # FATAL ends the connection. ERROR does not, and in reply to COMMIT it means that nothing was stored.
    if not isinstance(error, asyncpg.PostgresError) or error.severity_en != "ERROR":
        return _LOST
    state = str(error.sqlstate)
    if state == asyncpg.ProtocolViolationError.sqlstate and not error.server_source_function:
        return _LOST  # From a connection pooler: PostgreSQL itself names a place of its source.
    if state == asyncpg.CheckViolationError.sqlstate and error.constraint_name is None:
        return _NO_PARTITION
    return KNOWN.get(state) or KNOWN.get(state[:2], AWAY)
