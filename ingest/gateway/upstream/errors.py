"""Why an upstream gave no whole answer. None carries a word of the request or of the answer.

UpstreamFailure
├── Unreachable          no connection: no address, refused, not in time, TLS failed
├── CertificateRefused   of an authority that is not trusted, or of another name
├── NoAnswer             the connection ended before the first byte of an answer
├── CutShort             it ended, or we ended it, before the last
│   └── Abandoned        we did
├── TimedOut             an answer, or its next byte, did not come in time
├── BadAnswer            what came is not HTTP/1.1, or two parsers could read it differently
├── TooLong              the answer has more bytes than any has
├── Busy                 too many requests are under way
│   └── TenantBusy       of this tenant
└── CircuitOpen          the upstream failed again and again, and is left alone for a while
"""

from typing import ClassVar, Literal, get_args

Kind = Literal[
    "unreachable",
    "certificate",
    "no-answer",
    "cut-short",
    "abandoned",
    "timed-out",
    "bad-answer",
    "too-long",
    "busy",
    "tenant-busy",
    "circuit-open",
    # Of answers that were whole, and that a retry or a fallback replaced:
    "overloaded",
    "server-error",
    "rate-limited",
    "refused",  # By a model that the client had not asked for.
]
KINDS: tuple[Kind, ...] = get_args(Kind)


class UpstreamFailure(Exception):
    """No whole answer came; `kind` is for metrics."""

    kind: ClassVar[Kind]
    retry_after_s: int | None = None  # For the client.


class Unreachable(UpstreamFailure):
    kind: ClassVar[Kind] = "unreachable"


class CertificateRefused(UpstreamFailure):
    kind: ClassVar[Kind] = "certificate"


class NoAnswer(UpstreamFailure):
    kind: ClassVar[Kind] = "no-answer"


class CutShort(UpstreamFailure):
    kind: ClassVar[Kind] = "cut-short"


class Abandoned(CutShort):
    kind: ClassVar[Kind] = "abandoned"


class TimedOut(UpstreamFailure):
    kind: ClassVar[Kind] = "timed-out"


class BadAnswer(UpstreamFailure):
    kind: ClassVar[Kind] = "bad-answer"


class TooLong(UpstreamFailure):
    kind: ClassVar[Kind] = "too-long"


class Busy(UpstreamFailure):
    kind: ClassVar[Kind] = "busy"


class TenantBusy(Busy):
    kind: ClassVar[Kind] = "tenant-busy"


class CircuitOpen(UpstreamFailure):
    kind: ClassVar[Kind] = "circuit-open"

    def __init__(self, retry_after_s: int) -> None:
        super().__init__()
        self.retry_after_s = retry_after_s
