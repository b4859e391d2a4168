"""Errors of tokens, tenants and clocks."""

from ingest.errors import IngestError


class NoToken(IngestError):
    """The request has no bearer token."""


class BadToken(IngestError):
    """The bearer token is not one of ours."""


class ExpiredToken(IngestError):
    """The token has expired."""


class RevokedToken(IngestError):
    """An operator revoked the token."""


class ScopeMissing(IngestError):
    """The token does not have the scope."""


class TenantDisabled(IngestError):
    """An operator disabled the tenant."""


class ClockAdrift(IngestError):
    """A clock is wrong and nobody knows which: nothing is refused for its time, and nothing was stored."""
