"""Errors of tokens, tenants and clocks."""

from ingest.errors import IngestError


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


class ClockAdrift(IngestError):
    """A clock is wrong and nobody knows which: nothing is refused for its time, and nothing was stored."""
