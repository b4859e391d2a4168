"""Reads the snapshot from the database: all of it once, then only what each revision changed."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import asyncpg

from ingest import logs
from ingest.errors import Unavailable
from ingest.knowledge.diagnostics import Diagnostics
from ingest.knowledge.retention import Retention
from ingest.knowledge.snapshot import Snapshot, Tenant
from ingest.knowledge.tokens import Token
from ingest.store.connections import Connection
from schema.event import Kind
from schema.vocabulary import Mode, Names, Vocabulary

CATALOGUE_TENANT_ID = 0
ROWS_A_ROUND = 500  # In each round of the event loop: half a millisecond of work.

_REVISION = "SELECT revision FROM control WHERE control_id = 1"
# In the same row as the role, which must still be the session's: a pooler can switch sessions at any time.
_LOOK = """
SELECT revision, clock_timestamp() AS now, current_user::text AS role, retention_days, horizon, advanced_at
FROM control LEFT JOIN retention ON retention_id = 1
WHERE control_id = 1
"""
_TENANTS = """
SELECT tenant_id, task_category_mode, provider_mode, model_mode, tag_value_mode, events_per_minute_max, diagnostics,
    disabled, retention_days, extract(epoch FROM usage_frozen_before)::bigint * 1000 AS frozen_before_ms
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
    """Bring a snapshot up to date; return whether anything changed."""
    known = snapshot.revision
    revision = await _look(connection, snapshot)
    if revision == snapshot.revision:
        return False
    # A backup was restored, or a fail-over lost acts: they are gone, and their revisions will be used again.
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
    # No await from here on: a request sees all of a revision or none of it.
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
    """The tenant, kind and tag key that a term belongs to."""

    tenant_id: int
    kind: int
    parent_id: int


_Terms = dict[_Place, Names]


async def _grouped(rows: Sequence[asyncpg.Record]) -> tuple[_Terms, _Terms]:
    """Separate added from removed terms, in many rounds of the loop: an import may bring 16,000 terms."""
    added: _Terms = defaultdict(lambda: Names({}))
    removed: _Terms = defaultdict(lambda: Names({}))
    for number, row in enumerate(rows, 1):
        place = _Place(row["tenant_id"], row["kind"], row["parent_id"])
        (removed if row["is_retired"] else added)[place][row["term"]] = row["term_id"]
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
    tenant.diagnostics = Diagnostics(row["diagnostics"])
    tenant.retention_days = row["retention_days"]
    tenant.frozen_before_ms = row["frozen_before_ms"] or 0


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
        snapshot.shipped[Kind(place.kind)].absorb(terms)
        for tenant in snapshot.tenants.values():
            tenant.vocabulary.forget()  # A spelling may now stand for another term.
    else:
        snapshot.tenants[place.tenant_id].vocabulary.update(Kind(place.kind), place.parent_id, terms)


def _remove_terms(snapshot: Snapshot, place: _Place, terms: dict[str, int]) -> None:
    if place.tenant_id != CATALOGUE_TENANT_ID:
        snapshot.tenants[place.tenant_id].vocabulary.remove(Kind(place.kind), place.parent_id, *terms)


def _note(snapshot: Snapshot, revision: int, tenant_ids: set[int]) -> None:
    """Record the revision, and for which tenants it changed modes or terms."""
    snapshot.revision = revision
    for tenant_id in tenant_ids:
        if tenant_id == CATALOGUE_TENANT_ID:
            snapshot.shipped_revision = revision
        else:
            snapshot.tenants[tenant_id].revision = revision
