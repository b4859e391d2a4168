"""Errors of the console: a request that it refuses, each with a page that says what to do."""

from ingest.errors import IngestError


class CrossOrigin(IngestError):
    """A form was sent from another site, or by something that is no browser."""


class StaleForm(IngestError):
    """The form has no token of this session: it was opened before the last sign-in."""


class BadForm(IngestError):
    """The form is not what a browser sends: its coding, or more fields than any form has."""


class BadQuery(IngestError):
    """The query string is not what a link or form of ours sends."""
