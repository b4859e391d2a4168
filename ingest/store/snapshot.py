"""What a worker knows of tenants, tokens and terms: read whole once, then what each revision changed."""

import asyncio
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple

import asyncpg

from ingest import logs
from ingest.errors import Unavailable
from ingest.knowledge.clock import Clock
from ingest.knowledge.errors import BadToken, ClockAdrift, ExpiredToken, RevokedToken
from ingest.store.connections import Connection
from ingest.store.retention import FIRST_DAYS, Retention
from schema.decode import Window
from schema.event import Kind
from schema.vocabulary import Mode, Names, Vocabulary

CATALOGUE_TENANT_ID = 0
ROWS_A_ROUND = 500  # Of the loop: half a millisecond.


@dataclass(slots=True)
class Tenant:
    """A customer whose proxies send."""

    tenant_id: int
    vocabulary: Vocabulary
    disabled: bool = False
    events_per_minute_max: int | None = None
    revision: int = -1  # Of the last act that changed anything of it.


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token of a tenant, without its secret."""

    token_id: str
    tenant_id: int
    secret_sha256: bytes
    scopes: frozenset[str]
    expires_at: datetime | None
    is_revoked: bool


@dataclass(slots=True)
class Snapshot:
    """Everything that deciding on a request needs; `refresh` keeps it up to date."""

    revision: int = -1
    clock: Clock = field(default_factory=Clock)
    retention: Retention | None = None
    first_days: int | None = None  # Of the environment, for a database without a retention.
    era: int = 0  # Goes up when all is forgotten: revisions come again, and mean something else.
    shipped_revision: int = -1
    tenants: dict[int, Tenant] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)
    shipped: dict[Kind, Names] = field(default_factory=lambda: {kind: Names({}) for kind in Kind})

    def forget(self) -> None:
        """Know nothing; who holds a tenant from before keeps that."""
        self.era += 1
        self.tenants, self.tokens = {}, {}
        self.shipped = {kind: Names({}) for kind in Kind}

    @property
    def retention_days(self) -> int:
        """Return what the database keeps, or what the first round of maintenance will make it keep."""
        return self.retention.days if self.retention else self.first_days or FIRST_DAYS

    def window(self) -> Window:
        """Give the times that an event may have now."""
        return Window.at(int(self.clock.now_s * 1000), self.retention_days)

    def token(self, token_id: str, secret: str) -> Token:
        """Give the token with this id and secret, if it is good."""
        token = self.tokens.get(token_id)
        # An unknown id is compared as well, with nothing, so that it takes the time of a known one.
        expected = token.secret_sha256 if token else bytes(32)
        if not hmac.compare_digest(sha256(secret.encode("ascii")).digest(), expected) or token is None:
            raise BadToken
        self._require_valid(token)
        return token

    def require(self, token: Token) -> None:
        """Check a token that was good a while ago as it is known now."""
        known = self.tokens.get(token.token_id)
        # After a restore its number may be another token's, or nobody's.
        if known is None or (known.tenant_id, known.secret_sha256) != (token.tenant_id, token.secret_sha256):
            raise BadToken
        self._require_valid(known)

    def _require_valid(self, token: Token) -> None:
        if token.is_revoked:
            raise RevokedToken
        if token.expires_at is not None and token.expires_at <= self.clock.now():
            # A sender drops what it hears 401 for; with the clocks right it may be good.
            raise ClockAdrift if self.clock.is_doubtful else ExpiredToken


_REVISION = "SELECT revision FROM control WHERE control_id = 1"
# On one row, with what the session must still have: a pooler can hand out another one at any time.
_LOOK = """
SELECT revision, clock_timestamp() AS now, current_user::text AS role, retention_days, horizon, advanced_at
FROM control LEFT JOIN retention ON retention_id = 1
WHERE control_id = 1
"""
_TENANTS = """
SELECT tenant_id, task_category_mode, provider_mode, model_mode, tag_value_mode, events_per_minute_max, disabled
FROM tenants WHERE revision > $1
"""
_TOKENS = """
SELECT token_id, tenant_id, secret_sha256, scopes, expires_at, revoked_at IS NOT NULL AS is_revoked
FROM ingest_tokens WHERE revision > $1
"""
_TERMS = """
SELECT tenant_id, kind, term_id, parent_id, term, retired_at IS NOT NULL AS is_retired
FROM vocabulary WHERE revision > $1 ORDER BY kind
"""  # A tag key (4) comes before its values (5).


async def refresh(connection: Connection, snapshot: Snapshot) -> bool:
    """Bring a snapshot up to date; tells whether anything changed."""
    known = snapshot.revision
    revision = await _look(connection, snapshot)
    if revision == snapshot.revision:
        return False
    # A backup was restored, or a fail-over lost acts: what we know of those never was, and their numbers come again.
    is_past = revision < known
    since = -1 if is_past else known
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        revision = await connection.fetchval(_REVISION)
        tenants = await connection.fetch(_TENANTS, since)
        tokens = await connection.fetch(_TOKENS, since)
        terms = await connection.fetch(_TERMS, since)
    added, removed = await _grouped(terms)
    if snapshot.revision != known if is_past else revision <= snapshot.revision:
        return False  # Another refresh was faster.
    # No await from here on: a request sees all of a revision or nothing.
    if is_past:
        snapshot.forget()
    for row in tenants:
        _set_tenant(snapshot, row)
    for row in tokens:
        _set_token(snapshot, row)
    for place, changed in added.items():
        _add_terms(snapshot, place, changed)
    for place, changed in removed.items():
        _remove_terms(snapshot, place, changed)
    _note(snapshot, revision, {row["tenant_id"] for row in tenants} | {place.tenant_id for place in (*added, *removed)})
    return True


async def _look(connection: Connection, snapshot: Snapshot) -> int:
    """Read the clock and the retention, and return the revision."""
    asked = snapshot.clock.moment()
    row = await connection.fetchrow(_LOOK)
    if row is None or row["role"] != "nocontent_writer":
        logs.error("session-lost", setting="role")
        raise Unavailable
    snapshot.clock.take(row["now"], asked)
    has_retention = row["horizon"] is not None
    snapshot.retention = Retention(row["retention_days"], row["horizon"], row["advanced_at"]) if has_retention else None
    return int(row["revision"])


class _Place(NamedTuple):
    """Where terms belong."""

    tenant_id: int
    kind: Kind
    parent_id: int


_Terms = dict[_Place, Names]


async def _grouped(rows: Sequence[asyncpg.Record]) -> tuple[_Terms, _Terms]:
    """Sort out what was added and what was removed; an import may bring 16,000 terms, so in many rounds of the loop."""
    added: _Terms = {}
    removed: _Terms = {}
    for number, row in enumerate(rows, 1):
        place = _Place(row["tenant_id"], Kind(row["kind"]), row["parent_id"])
        (removed if row["is_retired"] else added).setdefault(place, Names({}))[row["term"]] = row["term_id"]
        if number % ROWS_A_ROUND == 0:
            await asyncio.sleep(0)
    return added, removed


def _set_tenant(snapshot: Snapshot, row: asyncpg.Record) -> None:
    modes = {
        Kind.TASK_CATEGORY: Mode(row["task_category_mode"]),
        Kind.PROVIDER: Mode(row["provider_mode"]),
        Kind.MODEL: Mode(row["model_mode"]),
        Kind.TAG_VALUE: Mode(row["tag_value_mode"]),
    }
    tenant = snapshot.tenants.get(row["tenant_id"])
    if tenant is None:
        tenant = snapshot.tenants[row["tenant_id"]] = Tenant(row["tenant_id"], Vocabulary(modes, snapshot.shipped))
    tenant.vocabulary.set_modes(modes)
    tenant.disabled = row["disabled"]
    tenant.events_per_minute_max = row["events_per_minute_max"]


def _set_token(snapshot: Snapshot, row: asyncpg.Record) -> None:
    snapshot.tokens[row["token_id"]] = Token(
        row["token_id"],
        row["tenant_id"],
        row["secret_sha256"],
        frozenset(row["scopes"]),
        row["expires_at"],
        row["is_revoked"],
    )


def _add_terms(snapshot: Snapshot, place: _Place, terms: Names) -> None:
    if place.tenant_id == CATALOGUE_TENANT_ID:
        snapshot.shipped[place.kind].absorb(terms)
        for tenant in snapshot.tenants.values():
            tenant.vocabulary.forget()  # A spelling may stand for another term now.
    else:
        snapshot.tenants[place.tenant_id].vocabulary.update(place.kind, place.parent_id, terms)


def _remove_terms(snapshot: Snapshot, place: _Place, terms: dict[str, int]) -> None:
    if place.tenant_id != CATALOGUE_TENANT_ID:
        snapshot.tenants[place.tenant_id].vocabulary.remove(place.kind, place.parent_id, *terms)


def _note(snapshot: Snapshot, revision: int, tenant_ids: set[int]) -> None:
    """Note which revision it is, and whose vocabularies or modes it changed."""
    snapshot.revision = revision
    for tenant_id in tenant_ids:
        if tenant_id == CATALOGUE_TENANT_ID:
            snapshot.shipped_revision = revision
        else:
            snapshot.tenants[tenant_id].revision = revision
