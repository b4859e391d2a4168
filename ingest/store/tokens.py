"""An operator's acts on bearer tokens; `ingest.knowledge.tokens` defines their format."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import asyncpg

from ingest.knowledge import gateway
from ingest.knowledge.tokens import Credential
from ingest.store import acts
from ingest.store.connections import Connection

SCOPES = (
    "events:write",
    "policy:read",
    "streams:read",
    "vocabulary:write",
    "usage:read",
    "invoices:read",
    "exports:read",
    gateway.SCOPE,
)
SCOPES_DEFAULT = SCOPES[:3]  # Of a proxy, which need not read what its tenant uses or owes.

_ADD = """
INSERT INTO ingest_tokens (tenant_id, token_id, secret_sha256, scopes, expires_at, revision)
VALUES ($1, $2, $3, $4, now() + $5::interval, $6)
RETURNING expires_at
"""
_GOOD = """
SELECT scopes, created_at, expires_at FROM ingest_tokens
WHERE tenant_id = $1 AND token_id = $2 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
"""
_SHORTEN = """
UPDATE ingest_tokens SET expires_at = least(expires_at, now() + $3::interval), revision = $4
WHERE tenant_id = $1 AND token_id = $2
RETURNING expires_at
"""
_REVOKE = """
UPDATE ingest_tokens SET revoked_at = coalesce(revoked_at, now()), revision = $3
WHERE tenant_id = $1 AND token_id = $2
RETURNING true
"""
_TENANT_OF = "SELECT tenant_id FROM ingest_tokens WHERE token_id = $1"
_NOTE_USES = "SELECT token_id FROM nocontent.note_token_uses($1, $2) AS token_id"
_LIST = """
SELECT tenant.name, token_id, scopes, token.created_at, expires_at, revoked_at, last_used_at
FROM ingest_tokens token JOIN tenants tenant USING (tenant_id)
WHERE $1::integer IS NULL OR tenant_id = $1
ORDER BY token.created_at
"""


_SHOW = """
SELECT token_id, scopes, created_at, expires_at, last_used_at, state
FROM ingest_tokens, LATERAL (SELECT CASE
    WHEN revoked_at IS NOT NULL THEN 'revoked' WHEN expires_at <= now() THEN 'expired' ELSE 'good' END AS state) AS its
WHERE tenant_id = $1
ORDER BY state = 'good' DESC, created_at DESC, token_id LIMIT $2
"""
SHOWN_MAX = 1_000


class TokenRow(NamedTuple):
    """A token as its tenant sees it; `last_used_at` is the hour of it, and None before the first use."""

    token_id: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    state: str  # good, revoked or expired, by PostgreSQL's clock.


class NewToken(NamedTuple):
    """A new token, and when it expires by PostgreSQL's clock; None for never."""

    token: str
    expires_at: datetime | None


class Rotation(NamedTuple):
    """A token's successor, and when each of them expires; None for never."""

    token: str
    expires_at: datetime | None
    old_expires_at: datetime


async def issue(connection: Connection, tenant_id: int, scopes: Sequence[str], lifetime: timedelta | None) -> str:
    """Issue a token and store the SHA-256 of its secret; only the caller ever has the token itself."""
    return (await _issue(connection, tenant_id, scopes, lifetime)).token


async def _issue(connection: Connection, tenant_id: int, scopes: Sequence[str], lifetime: timedelta | None) -> NewToken:
    new = Credential.make()
    async with acts.act(connection) as act:
        row = (tenant_id, new.token_id, new.secret_sha256, list(scopes), lifetime, act.revision)
        expires_at = await connection.fetchval(_ADD, *row)
        await act.note_token(tenant_id, "token.issue", new.token_id)
    return NewToken(str(new), expires_at)


async def rotate(
    connection: Connection, tenant_id: int, token_id: str, overlap: timedelta, lifetime: timedelta | None
) -> Rotation | None:
    """Issue a token with the same scopes; the old one expires after the overlap, or at its own expiry if earlier.

    Without a lifetime the new token has that of the old one. Return None if the tenant has no such valid token.
    """
    async with acts.act(connection) as act:  # No other act can come in between from here on.
        old = await connection.fetchrow(_GOOD, tenant_id, token_id)
        if old is None:
            return None
        if lifetime is None and old["expires_at"] is not None:
            lifetime = old["expires_at"] - old["created_at"]
        old_expires_at = await connection.fetchval(_SHORTEN, tenant_id, token_id, overlap, act.revision)
        await act.note_token(tenant_id, "token.rotate", token_id)
        token, expires_at = await _issue(connection, tenant_id, old["scopes"], lifetime)
    return Rotation(token, expires_at, old_expires_at)


async def revoke(connection: Connection, tenant_id: int, token_id: str) -> bool:
    """Revoke by the public id; return whether the tenant has such a token."""
    async with acts.act(connection) as act:
        is_known = bool(await connection.fetchval(_REVOKE, tenant_id, token_id, act.revision))
        if is_known:
            await act.note_token(tenant_id, "token.revoke", token_id)
    return is_known


async def tenant_of(connection: Connection, token_id: str) -> int | None:
    """Return whose token has a public id, for an operator, or None if there is no such token."""
    found = await connection.fetchval(_TENANT_OF, token_id)
    return None if found is None else int(found)


async def show(connection: Connection, tenant_id: int) -> list[TokenRow]:
    """Return a tenant's tokens: good ones first, and of each the newest first."""
    return [TokenRow(*row.values()) for row in await connection.fetch(_SHOW, tenant_id, SHOWN_MAX)]


async def note_uses(connection: Connection, used: Mapping[str, int]) -> list[str]:
    """Note that tokens, with their tenants, were used this hour; return those that it is known of."""
    rows = await connection.fetch(_NOTE_USES, [*used.values()], [*used])
    return [row["token_id"] for row in rows]


async def list_all(connection: Connection, tenant_id: int | None) -> list[asyncpg.Record]:
    return await connection.fetch(_LIST, tenant_id)
