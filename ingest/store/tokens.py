"""Bearer tokens: 256 random bits, of which only the SHA-256 is stored; the id beside them is public."""

import secrets
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256

import asyncpg

from ingest.store.pool import Connection
from ingest.store.tenants import AUDIT, BUMP

SCOPES = ("events:write", "policy:read", "streams:read", "vocabulary:write")
SCOPES_DEFAULT = SCOPES[:3]
PREFIX = "nct"

_ADD = """
INSERT INTO ingest_tokens (tenant_id, token_id, secret_sha256, scopes, expires_at, revision)
VALUES ($1, $2, $3, $4, $5, $6)
"""
_REVOKE = """
UPDATE ingest_tokens SET revoked_at = coalesce(revoked_at, now()), revision = $2 WHERE token_id = $1
RETURNING tenant_id
"""
_LIST = """
SELECT tenant.name, token_id, scopes, token.created_at, expires_at, revoked_at
FROM ingest_tokens token JOIN tenants tenant USING (tenant_id)
WHERE $1::integer IS NULL OR tenant_id = $1
ORDER BY token.created_at
"""


async def issue(connection: Connection, tenant: int, scopes: Sequence[str], expires_at: datetime | None) -> str:
    """Make a token and store the SHA-256 of its secret; the token itself is given once, here."""
    token_id = secrets.token_hex(6)
    secret = secrets.token_urlsafe(32)  # 256 bits.
    async with connection.transaction():
        revision = await connection.fetchval(BUMP)
        digest = sha256(secret.encode("ascii")).digest()
        await connection.execute(_ADD, tenant, token_id, digest, list(scopes), expires_at, revision)
        await connection.execute(AUDIT, tenant, "token.issue", None, None, token_id, None)
    return f"{PREFIX}_{token_id}_{secret}"


async def revoke(connection: Connection, token_id: str) -> bool:
    """Revoke by the public id; tells whether there is such a token."""
    async with connection.transaction():
        tenant = await connection.fetchval(_REVOKE, token_id, await connection.fetchval(BUMP))
        if tenant is not None:
            await connection.execute(AUDIT, tenant, "token.revoke", None, None, token_id, None)
    return tenant is not None


async def list_all(connection: Connection, tenant: int | None) -> list[asyncpg.Record]:
    return await connection.fetch(_LIST, tenant)
