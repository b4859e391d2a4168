"""What the service tells gateways: made of a worker's snapshot and the routing tables, once a second at most."""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import msgspec

from ingest import logs
from ingest.errors import Overloaded, Unavailable
from ingest.knowledge.gateway import SCOPE, SNAPSHOT_BYTES_MAX, GatewaySnapshot, GatewayTenant, GatewayToken
from ingest.knowledge.snapshot import Snapshot, Tenant
from ingest.knowledge.tokens import Token
from ingest.store.gateway.tables import Tables

MADE_S = 1.0  # How long an answer is given again.
TABLES_S = 30.0  # How long tables hold without an act: prices also begin and end by the clock.
READ_S = 1.5
_NO_TABLES = Tables(-1, {})


class Told(NamedTuple):
    """A snapshot, encoded, and the tag of what it says, whatever its revision and time."""

    body: bytes
    tag: str


class Grants:
    """What one worker tells gateways."""

    def __init__(self, known: Snapshot, read: Callable[[], Awaitable[Tables]]) -> None:
        """Take the snapshot, and what reads the tables, which may raise Overloaded and Unavailable."""
        self._known = known
        self._read = read
        self._turn = asyncio.Lock()
        self._told: Told | None = None
        self._made_at = float("-inf")
        self._tables = _NO_TABLES
        self._tables_of = (-1, -1)  # Era and revision of the snapshot when they were read.
        self._tables_at = float("-inf")

    async def told(self) -> Told:
        """Return what is true now; raises Unavailable. Requests that come together get the same."""
        async with self._turn:
            if self._told is None or time.monotonic() - self._made_at >= MADE_S:
                await self._follow_tables()
                self._told = self._made()
                self._made_at = time.monotonic()
            return self._told

    async def _follow_tables(self) -> None:
        """Read the tables if an act may have changed them; without the database the last ones stay, if any."""
        known_as_of = self._known.era, self._known.revision
        if self._tables_of == known_as_of and time.monotonic() - self._tables_at < TABLES_S:
            return
        try:
            async with asyncio.timeout(READ_S):
                self._tables = await self._read()
        except (Overloaded, Unavailable, TimeoutError):
            if self._tables is _NO_TABLES:
                raise Unavailable from None
            return
        self._tables_of, self._tables_at = known_as_of, time.monotonic()

    def _made(self) -> Told:
        now_ms = int(self._known.clock.now_s * 1_000)
        snapshot = of(self._known, self._tables, now_ms)
        body = msgspec.json.encode(snapshot)
        if len(body) > SNAPSHOT_BYTES_MAX:
            logs.error("grants-too-large", count=len(snapshot.tokens))
            raise Unavailable
        said = msgspec.json.encode((snapshot.tokens, snapshot.tenants))
        return Told(body, hashlib.sha256(said).hexdigest()[:32])


def of(known: Snapshot, tables: Tables, now_ms: int) -> GatewaySnapshot:
    """Return the tokens that admit, and the tenants that have one, in an order that all workers share."""
    good = [token for token in known.tokens.values() if _admits(token, known.tenants.get(token.tenant_id), now_ms)]
    return GatewaySnapshot(
        known.revision,
        now_ms,
        tuple(_told(token) for token in sorted(good, key=lambda token: token.token_id)),
        tuple(
            tables.tenants.get(tenant_id) or GatewayTenant(tenant_id)
            for tenant_id in sorted({token.tenant_id for token in good})
        ),
    )


def _admits(token: Token, tenant: Tenant | None, now_ms: int) -> bool:
    if SCOPE not in token.scopes or token.is_revoked or tenant is None or tenant.disabled:
        return False
    return token.expires_at is None or token.expires_at.timestamp() * 1_000 > now_ms


def _told(token: Token) -> GatewayToken:
    expires_at_ms = None if token.expires_at is None else int(token.expires_at.timestamp() * 1_000)
    return GatewayToken(token.token_id, token.tenant_id, token.secret_sha256, expires_at_ms)
