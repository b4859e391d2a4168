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
    """The token lacks the required scope."""


class TenantDisabled(IngestError):
    """An operator disabled the tenant."""


class ClockAdrift(IngestError):
    """The clocks disagree and nobody knows which is wrong: nothing was stored, and nothing is refused for its time."""
