"""Errors about stored data, or about the end of a transaction."""

from ingest.errors import IngestError


class Unstorable(IngestError):
    """The database refused a value that the gates let pass: our bug, and retrying will not help."""


class SequenceReused(IngestError):
    """A batch of other events already has the (stream, sequence)."""


class StreamNotFound(IngestError):
    """The tenant has sent no such stream."""


class OutcomeUnknown(IngestError):
    """The connection was lost around COMMIT: a retry finds out what happened, and stores nothing twice."""
