"""Resolves tokens to callers, and checks again that a caller may still send."""

from typing import NamedTuple

from ingest.errors import Unavailable
from ingest.intake.refresher import Refresher
from ingest.knowledge.errors import TenantDisabled
from ingest.knowledge.snapshot import Tenant
from ingest.knowledge.tokens import Token


class Caller(NamedTuple):
    """The sender of a request: its token and tenant as known when the request arrived."""

    token: Token
    tenant: Tenant

    @property
    def tenant_id(self) -> int:
        return self.token.tenant_id

    def has_scope(self, scope: str) -> bool:
        return scope in self.token.scopes


class Callers:
    """Decides by the snapshot, and raises Unavailable if the snapshot is too old."""

    def __init__(self, refresher: Refresher) -> None:
        self._refresher = refresher
        self._snapshot = refresher.snapshot

    def resolve(self, token_id: str, secret: str) -> Caller:
        """Return the caller; raises BadToken, RevokedToken, ExpiredToken, ClockAdrift, TenantDisabled, Unavailable."""
        self._require_fresh()
        token = self._snapshot.token(token_id, secret)
        return Caller(token, self._enabled(token))

    def require(self, caller: Caller) -> Tenant:
        """Check a resolved caller again, and return its tenant as known now; raises what `resolve` raises."""
        self._require_fresh()
        self._snapshot.require(caller.token)
        return self._enabled(caller.token)

    def _require_fresh(self) -> None:
        if not self._refresher.is_fresh:
            raise Unavailable

    def _enabled(self, token: Token) -> Tenant:
        tenant = self._snapshot.tenants.get(token.tenant_id)
        if tenant is None:
            raise Unavailable  # The token is known, but its tenant is not.
        if tenant.disabled:
            raise TenantDisabled
        return tenant
