"""HTTP errors: requests that cannot be parsed, or that every application refuses."""

from ingest.errors import IngestError


class BadRequest(IngestError):
    """The request is not HTTP/1.1, or two parsers could read it differently."""


class HeadTooLarge(IngestError):
    """The head has too many bytes or fields."""


class SlowHead(IngestError):
    """The head did not arrive in time."""


class VersionUnsupported(IngestError):
    """The request has another version of HTTP."""


class NotFound(IngestError):
    """The path does not exist."""


class MethodNotAllowed(IngestError):
    """The path does not have this method."""

    def __init__(self, allow: str) -> None:
        super().__init__()
        self.allow = allow


class QueryNotEmpty(IngestError):
    """The URL has a query string."""


class MediaTypeUnsupported(IngestError):
    """The body has a media type that its path does not read."""


class EncodingUnsupported(IngestError):
    """The body has a coding other than gzip and zstd, or more than one."""


class BadEncoding(IngestError):
    """The body does not match its Content-Encoding."""


class SlowBody(IngestError):
    """The body did not arrive in time."""


class WireTooLarge(IngestError):
    """The body has more bytes than its path reads."""


class BodyTooLarge(IngestError):
    """The body has more bytes than its path reads, once decompressed."""


class ClientGone(Exception):
    """The connection closed before the end of the body, so nobody would read an answer."""
