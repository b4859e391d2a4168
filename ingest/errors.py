"""Errors that any room may raise; each room has its own beside its modules.

A problem is what HTTP says of an `IngestError`: `serving.problems` makes it, and an application has the table.
"""

from schema.rules import Violation


class CannotStart(Exception):
    """An operator-facing start-up failure: one sentence that helps."""


class IngestError(Exception):
    """Has no message: a message could quote the request. The attributes are all that an answer may say of it."""

    violations: tuple[Violation, ...] = ()
    failing: tuple[str, ...] = ()
    retry_after_s: int | None = None  # If this error knows better than its kind.

    def __init__(self) -> None:
        super().__init__()


class NotReady(IngestError):
    """Of the probes: names what is not as it should be."""

    def __init__(self, failing: tuple[str, ...]) -> None:
        super().__init__()
        self.failing = failing


class Overloaded(IngestError):
    """The queue is full; nothing was taken."""


class Unavailable(IngestError):
    """The database is away, or what we know of tokens is too old to trust; nothing was stored."""


class Stopping(IngestError):
    """The service is shutting down; nothing was taken."""


class Bug(IngestError):
    """An assertion of ours failed."""
