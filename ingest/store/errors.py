"""Errors about stored data, about the end of a transaction, or about an act on a tenant."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from ingest.errors import IngestError, Unavailable

if TYPE_CHECKING:  # Every command imports this, also those of a process that must have no driver.
    from collections.abc import Iterator, Mapping

    import asyncpg


@contextmanager
def explained_by(faces: Mapping[type[asyncpg.PostgresError], type[Exception]]) -> Iterator[None]:
    """Raise our error for what PostgreSQL refuses, without its message, which may quote a value."""
    try:
        yield
    except tuple(faces) as refused:
        raise faces[type(refused)] from None


class Unstorable(IngestError):
    """The database refused a value that the gates let pass: our bug, and retrying will not help."""


class SequenceReused(IngestError):
    """A batch of other events already has the (stream, sequence)."""


class StreamNotFound(IngestError):
    """The tenant has sent no such stream."""


class OutcomeUnknown(IngestError):
    """The connection was lost around COMMIT: a retry finds out what happened, and stores nothing twice."""


class RoleMissing(Unavailable):
    """The login may not assume the role that a path needs, or the database has no such role."""


class ReadTooLarge(IngestError):
    """The sums that were asked for take longer than a reader may keep PostgreSQL busy, or do not fit 64 bits."""


class UnknownTenant(Exception):
    """There is no tenant of that name."""


class VocabularyFull(Exception):
    """The tenant's ids of this kind are used up."""


class BudgetSpent(Exception):
    """The tenant's traffic has registered as many terms as it may, today or ever."""


class MonthReleased(Exception):
    """The ledger has a release of that month, and there is one for each."""
