"""What can go wrong on our side or theirs, as types; `serving.problems` says how HTTP speaks of each.

IngestError
├── BadRequest, HeadTooLarge, SlowHead, VersionUnsupported      is it HTTP/1.1
├── Malformed, QueryNotEmpty, BadEncoding               the request cannot be read
├── NoToken, BadToken, ExpiredToken, RevokedToken       who is it
├── ScopeMissing, TenantDisabled                        may it
├── NotFound, StreamNotFound, MethodNotAllowed          is there such a thing
├── SlowBody, WireTooLarge, BodyTooLarge, BatchOverQuota
├── MediaTypeUnsupported, EncodingUnsupported
├── SequenceReused, Rejected, Unstorable, QuotaExceeded
└── Overloaded, Unavailable, ClockAdrift, OutcomeUnknown, Stopping, NotReady, Bug    ours
"""

from schema.rules import Violation
from schema.vocabulary import Candidate


class CannotStart(Exception):
    """An operator-facing start-up failure: one sentence that helps."""


class IngestError(Exception):
    """Has no message: a message could quote the request."""

    def __init__(self) -> None:
        super().__init__()


class Malformed(IngestError):
    """The body is not one JSON document."""

    def __init__(self, violations: tuple[Violation, ...]) -> None:
        super().__init__()
        self.violations = violations


class Rejected(IngestError):
    """The body breaks the contract. Holds rules and pointers, and no bytes of the body.

    `candidates` is what a tenant in mode LEARN may register before decoding again; empty if anything else is wrong.
    """

    def __init__(self, violations: tuple[Violation, ...], candidates: frozenset[Candidate] = frozenset()) -> None:
        super().__init__()
        self.violations = violations
        self.candidates = candidates


class Unstorable(IngestError):
    """The gates let a value pass that the database has refused: ours to mend, and no use to send again."""


class QuotaExceeded(IngestError):
    """The tenant has sent its events of this minute."""

    def __init__(self, reset_s: int) -> None:
        super().__init__()
        self.reset_s = reset_s


class BadRequest(IngestError):
    """Not HTTP/1.1, or not in the one way that every reader reads alike."""


class HeadTooLarge(IngestError):
    """More bytes or fields than a head may have."""


class SlowHead(IngestError):
    """The head did not arrive in time."""


class VersionUnsupported(IngestError):
    """Another version of HTTP."""


class BatchOverQuota(IngestError):
    """The batch has more events than the tenant may send in a minute."""


class QueryNotEmpty(IngestError):
    """The URL has a query string."""


class BadEncoding(IngestError):
    """The body is not what its Content-Encoding says."""


class NoToken(IngestError):
    """No bearer token."""


class BadToken(IngestError):
    """Not a token of ours."""


class ExpiredToken(IngestError):
    """Its time is over."""


class RevokedToken(IngestError):
    """An operator took it back."""


class ScopeMissing(IngestError):
    """The token is not for this."""


class TenantDisabled(IngestError):
    """An operator switched the tenant off."""


class NotFound(IngestError):
    """No such path."""


class StreamNotFound(IngestError):
    """The tenant has sent no such stream."""


class MethodNotAllowed(IngestError):
    """The path has other methods."""

    def __init__(self, allow: str) -> None:
        super().__init__()
        self.allow = allow


class NotReady(IngestError):
    """Of the probes: names what is not as it should be."""

    def __init__(self, failing: tuple[str, ...]) -> None:
        super().__init__()
        self.failing = failing


class SlowBody(IngestError):
    """The body did not arrive in time."""


class WireTooLarge(IngestError):
    """More bytes than WIRE_BYTES_MAX."""


class BodyTooLarge(IngestError):
    """More bytes than BODY_BYTES_MAX once decompressed."""


class MediaTypeUnsupported(IngestError):
    """Not application/json."""


class EncodingUnsupported(IngestError):
    """Not gzip or zstd, or more than one coding."""


class SequenceReused(IngestError):
    """The (stream, sequence) was taken by a batch of other events."""


class Overloaded(IngestError):
    """The queue is full; nothing was taken."""


class Unavailable(IngestError):
    """The database is away, or what we know of tokens is too old to trust; nothing was stored."""


class ClockAdrift(IngestError):
    """A clock is wrong and nobody knows which: nothing is refused for its time, and nothing was stored."""


class OutcomeUnknown(IngestError):
    """The connection was lost around COMMIT: a retry finds out, and cannot store anything twice."""


class Stopping(IngestError):
    """The service is shutting down; nothing was taken."""


class Bug(IngestError):
    """An assertion of ours failed."""
