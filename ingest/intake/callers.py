"""Resolves tokens to callers, and checks again that a caller may still send."""

from collections.abc import Callable
from typing import NamedTuple

from ingest.errors import Unavailable
from ingest.intake.refresher import Refresher
from ingest.knowledge.errors import BadToken, TenantDisabled
from ingest.knowledge.gateway_keys import GatewayBearer, Purpose
from ingest.knowledge.keys import Keys
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

    def __init__(self, refresher: Refresher, gateway_keys: Callable[[], Keys] | None) -> None:
        self._refresher = refresher
        self.gateway_keys = gateway_keys  # That gateways share; None if there are none.
        self._snapshot = refresher.snapshot

    def resolve(self, token_id: str, secret: str) -> Caller:
        """Return the caller; raises BadToken, RevokedToken, ExpiredToken, ClockAdrift, TenantDisabled, Unavailable."""
        self._require_fresh()
        token = self._snapshot.token(token_id, secret)
        return Caller(token, self._enabled(token))

    def gateway(self, given: str, purpose: Purpose) -> GatewayBearer:
        """Return the bearer of a gateway; raises BadToken."""
        bearer = GatewayBearer.parse(given)
        if self.gateway_keys is None or bearer is None or not bearer.is_of(self.gateway_keys(), purpose):
            raise BadToken
        return bearer

    def reporting(self, given: str) -> Caller:
        """Return a gateway that reports for a tenant; raises BadToken, TenantDisabled, Unavailable."""
        tenant_id = self.gateway(given, "events").tenant_id
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
