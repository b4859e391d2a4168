"""Resolves tokens to callers, and checks again that a caller may still send."""

from typing import NamedTuple

from ingest.errors import Unavailable
from ingest.intake.refresher import Refresher
from ingest.knowledge.errors import BadToken, TenantDisabled
from ingest.knowledge.snapshot import Tenant
from ingest.knowledge.tokens import Token

_GATEWAY = "gateway"  # In place of a token's id, which has hexadecimal digits alone.
_GATEWAY_SCOPES = frozenset({"events:write", "policy:read"})  # What a reporter needs.


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

    def gateway(self, tenant_id: int) -> Caller:
        """Return a gateway that reports for a tenant; raises BadToken, TenantDisabled, Unavailable."""
        self._require_fresh()
        if tenant_id not in self._snapshot.tenants:
            raise BadToken
        token = Token(_GATEWAY, tenant_id, b"", _GATEWAY_SCOPES, None, is_revoked=False)
        return Caller(token, self._enabled(token))

    def require(self, caller: Caller) -> Tenant:
        """Check a resolved caller again, and return its tenant as known now; raises what `resolve` raises."""
        self._require_fresh()
        try:
            self._snapshot.require(caller.token)
        except BadToken:  # A gateway's is no token of the database.
            if caller.token.token_id != _GATEWAY:
                raise
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
