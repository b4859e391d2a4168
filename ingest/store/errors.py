"""Errors of what PostgreSQL holds, or of how a transaction ended."""

from ingest.errors import IngestError


class Unstorable(IngestError):
    """The gates let a value pass that the database has refused: ours to mend, and no use to send again."""


class SequenceReused(IngestError):
    """The (stream, sequence) was taken by a batch of other events."""


class StreamNotFound(IngestError):
    """The tenant has sent no such stream."""


class OutcomeUnknown(IngestError):
    """The connection was lost around COMMIT: a retry finds out, and cannot store anything twice."""
