"""Errors of HTTP: requests that cannot be read, or that no application would take."""

from ingest.errors import IngestError


class BadRequest(IngestError):
    """Not HTTP/1.1, or not in the one way that every reader reads alike."""


class HeadTooLarge(IngestError):
    """More bytes or fields than a head may have."""


class SlowHead(IngestError):
    """The head did not arrive in time."""


class VersionUnsupported(IngestError):
    """Another version of HTTP."""


class NotFound(IngestError):
    """No such path."""


class MethodNotAllowed(IngestError):
    """The path has other methods."""

    def __init__(self, allow: str) -> None:
        super().__init__()
        self.allow = allow


class QueryNotEmpty(IngestError):
    """The URL has a query string."""


class MediaTypeUnsupported(IngestError):
    """Not application/json."""


class EncodingUnsupported(IngestError):
    """Not gzip or zstd, or more than one coding."""


class BadEncoding(IngestError):
    """The body is not what its Content-Encoding says."""


class SlowBody(IngestError):
    """The body did not arrive in time."""


class WireTooLarge(IngestError):
    """More bytes than WIRE_BYTES_MAX."""


class BodyTooLarge(IngestError):
    """More bytes than BODY_BYTES_MAX once decompressed."""


class ClientGone(Exception):
    """The connection ended inside the body: there is nobody to answer."""
