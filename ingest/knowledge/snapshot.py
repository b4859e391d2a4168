"""The snapshot: tenants, tokens and terms as of a revision. `ingest.store.snapshot` keeps it up to date."""

import hmac
from dataclasses import dataclass, field

from ingest.knowledge.clock import Clock
from ingest.knowledge.diagnostics import Diagnostics
from ingest.knowledge.errors import BadToken, ClockAdrift, ExpiredToken, RevokedToken
from ingest.knowledge.retention import FIRST_DAYS, Retention
from ingest.knowledge.tokens import Credential, Token
from schema.decode import Window
from schema.event import Kind
from schema.vocabulary import Names, Vocabulary


@dataclass(slots=True)
class Tenant:
    """A customer whose proxies send events."""

    tenant_id: int
    vocabulary: Vocabulary
    disabled: bool = False
    events_per_minute_max: int | None = None
    retention_days: int | None = None  # If its own; it counts if it is less than the database's.
    frozen_before_ms: int = 0  # Since 1970. Events were deleted before that day, and are not accepted again.
    diagnostics: Diagnostics = Diagnostics.REFUSE
    revision: int = -1  # Of the last act that changed the tenant or its terms.


@dataclass(slots=True)
class Snapshot:
    """Everything that a worker needs to decide on a request."""

    revision: int = -1
    clock: Clock = field(default_factory=Clock)
    retention: Retention | None = None
    first_days: int | None = None  # From the environment, for a database without a retention.
    era: int = 0  # Number of calls of `forget`: after one, old revision numbers mean something else.
    shipped_revision: int = -1
    tenants: dict[int, Tenant] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)
    shipped: dict[Kind, Names] = field(default_factory=lambda: {kind: Names({}) for kind in Kind})

    def forget(self) -> None:
        """Drop all tenants, tokens and terms; a tenant that a request already holds stays unchanged."""
        self.era += 1
        self.tenants, self.tokens = {}, {}
        self.shipped = {kind: Names({}) for kind in Kind}

    @property
    def retention_days(self) -> int:
        """Return the days that the database keeps events, or will after its first round of maintenance."""
        return self.retention.days if self.retention else self.first_days or FIRST_DAYS

    def days_of(self, tenant: Tenant) -> int:
        """Return the days that the events of a tenant are kept."""
        return min(tenant.retention_days or self.retention_days, self.retention_days)

    def window(self, tenant: Tenant) -> Window:
        """Return the times that an event of a tenant may have now."""
        window = Window.at(int(self.clock.now_s * 1000), self.days_of(tenant))
        return window._replace(oldest_ms=max(window.oldest_ms, tenant.frozen_before_ms))

    def token(self, token_id: str, secret: str) -> Token:
        """Return the token with this id and secret; raises BadToken, RevokedToken, ExpiredToken, ClockAdrift."""
        token = self.tokens.get(token_id)
        # An unknown id is compared with zeros, so that it takes as long as a known one.
        expected = token.secret_sha256 if token else bytes(32)
        if not hmac.compare_digest(Credential(token_id, secret).secret_sha256, expected) or token is None:
            raise BadToken
        self._require_valid(token)
        return token

    def require(self, token: Token) -> None:
        """Check a token that was valid a while ago again; raises what `token` raises."""
        known = self.tokens.get(token.token_id)
        # After a restore the same id may belong to another token, or to none.
        if known is None or (known.tenant_id, known.secret_sha256) != (token.tenant_id, token.secret_sha256):
            raise BadToken
        self._require_valid(known)

    def _require_valid(self, token: Token) -> None:
        if token.is_revoked:
            raise RevokedToken
        if token.expires_at is not None and token.expires_at <= self.clock.now():
            # A sender drops a batch after a 401, and by the right time the token may be valid.
            raise ClockAdrift if self.clock.is_doubtful else ExpiredToken
