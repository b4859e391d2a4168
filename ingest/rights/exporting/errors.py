"""Errors about exports. Those of the command have an id that stays, and a sentence without any value."""

from collections.abc import Mapping

from ingest.errors import CannotStart, IngestError

SENTENCES: Mapping[str, str] = {
    "export.folder-not-empty": "The folder has files that are not of an export; name an empty or a new one",
    "export.folder-of-another": "The folder has an export of another tenant, range, tag, format or choice of data",
    "export.folder-in-use": "Another process is writing to the folder",
    "export.folder-refused": "The folder cannot be made, read or written by this user",
    "export.file-changed": "A file of the export is missing or has another checksum; begin a new folder",
    "export.disk-full": "The disk is full; make room, and run the command again, which goes on",
    "export.bad-range": "The range must begin before it ends; a time is a day, or such as 2026-10-01T09:00:00Z",
    "export.unknown-tag": "The tenant has no such tag; write it as key=value",
    "export.tag-without-events": "A tag chooses among events: leave out other data, or the tag",
    "export.format-missing": "Parquet needs pyarrow: pip install 'nocontent[export]'",
    "export.moment-lost": "The moment of the export is not one of this database, or too long ago; use a new folder",
    "export.database-lost": "The connection to PostgreSQL was lost; run the command again, which goes on",
    "export.not-on-citus": "On Citus there is no one moment for all nodes; export from a restored backup",
    "export.sums-differ": "The rows do not come to the sums that PostgreSQL had at the moment; see manifest.json",
}


class FormatMissing(IngestError):
    """Parquet needs pyarrow, which is not installed: it is the extra `export`."""


class Refused(CannotStart):
    """An export cannot begin or go on."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"{SENTENCES[reason]} ({reason}).")
        self.reason = reason
