"""Errors that any package may raise; each package declares its own in errors.py.

An `IngestError` is answered with a problem (RFC 9457): `serving.problems` makes it from the application's table.
"""

from schema.rules import Violation


class CannotStart(Exception):
    """The process cannot start; the message is one sentence for the operator."""


class IngestError(Exception):
    """Carries no message, which could quote the request; a response may contain its attributes, and nothing else."""

    violations: tuple[Violation, ...] = ()
    failing: tuple[str, ...] = ()
    parameter: str = ""  # A name of ours, of a parameter in the query string.
    retry_after_s: int | None = None  # Overrides that of its face.

    def __init__(self) -> None:
        super().__init__()


class NotReady(IngestError):
    """A probe failed; `failing` names the checks that did."""

    def __init__(self, failing: tuple[str, ...]) -> None:
        super().__init__()
        self.failing = failing


class Overloaded(IngestError):
    """The queue is full; nothing was accepted."""


class Unavailable(IngestError):
    """The database is unreachable, or the snapshot of tokens is too old to trust; nothing was stored."""


class Stopping(IngestError):
    """The service is shutting down; nothing was accepted."""


class Bug(IngestError):
    """The service has a bug, such as a failed assertion."""
