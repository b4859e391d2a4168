"""Errors about exports."""

from ingest.errors import IngestError


class FormatMissing(IngestError):
    """Parquet needs pyarrow, which is not installed: it is the extra `export`."""
