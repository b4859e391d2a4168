"""Errors about a batch, or about its tenant's quota."""

from ingest.errors import IngestError
from schema.learning import Candidate
from schema.rules import Violation


class Malformed(IngestError):
    """The body is not one JSON document."""

    def __init__(self, violations: tuple[Violation, ...]) -> None:
        super().__init__()
        self.violations = violations


class Rejected(IngestError):
    """The body breaks the contract. The error holds rules and pointers, but no bytes of the body.

    `candidates` are the terms that a tenant in mode LEARN may register before a retry; empty if anything else is wrong.
    """

    def __init__(self, violations: tuple[Violation, ...], candidates: frozenset[Candidate] = frozenset()) -> None:
        super().__init__()
        self.violations = violations
        self.candidates = candidates


class BatchOverQuota(IngestError):
    """The batch has more events than the tenant may send in a minute."""


class QuotaExceeded(IngestError):
    """The tenant has sent its events of this minute."""

    def __init__(self, reset_s: int) -> None:
        super().__init__()
        self.retry_after_s: int = reset_s


class QuotaSpent(IngestError):
    """The same, for a client that does not retry after 429."""

    def __init__(self, reset_s: int) -> None:
        super().__init__()
        self.retry_after_s = reset_s
