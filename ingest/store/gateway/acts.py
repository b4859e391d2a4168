"""Acts on a tenant's routing table, audited: of an operator, or of somebody of the tenant in the console."""

from collections.abc import Sequence

from ingest.knowledge.gateway import FALLBACKS_MAX, MODES, REASONS, TAG, Mode
from ingest.store import acts, vocabulary
from ingest.store.acts import Act
from ingest.store.connections import Connection
from ingest.store.gateway.errors import NotAllowed, TermUnknown, TooManyFallbacks, TooManyModels
from schema.event import Kind
from schema.learning import Candidate
from schema.vocabulary import UNKNOWN_ID

ALLOWED_MAX = 100  # Models of a tenant.
CONCURRENCY_MAX = 100_000
CONFIDENCE_DEFAULT = 700  # In permille, until somebody sets another.

# The act's revision makes every worker read the tables again.
_SET = {
    name: f"""
    INSERT INTO nocontent.gateway_settings AS known (tenant_id, revision, confidence_min, {name})
    VALUES ($1, $2, {CONFIDENCE_DEFAULT}, $3)
    ON CONFLICT (tenant_id) DO UPDATE SET {name} = excluded.{name}, revision = excluded.revision, changed_at = now()
    """  # noqa: S608 (our own names)
    for name in ("mode", "concurrency_max")
}
_SET["confidence_min"] = """
INSERT INTO nocontent.gateway_settings AS known (tenant_id, revision, confidence_min) VALUES ($1, $2, $3)
ON CONFLICT (tenant_id) DO UPDATE
SET confidence_min = excluded.confidence_min, revision = excluded.revision, changed_at = now()
"""
_TOUCH = f"""
INSERT INTO nocontent.gateway_settings (tenant_id, revision, confidence_min) VALUES ($1, $2, {CONFIDENCE_DEFAULT})
ON CONFLICT (tenant_id) DO UPDATE SET revision = excluded.revision, changed_at = now()
"""  # noqa: S608 (a number of our own)
_UNSET = "DELETE FROM nocontent.gateway_routes WHERE tenant_id = $1 AND category_id = $2 RETURNING place"
_ROUTE = """
INSERT INTO nocontent.gateway_routes (tenant_id, category_id, place, model_id)
SELECT $1, $2, place - 1, model_id FROM unnest($3::smallint[]) WITH ORDINALITY AS own (model_id, place)
"""
_ALLOWED = "SELECT model_id FROM nocontent.gateway_models WHERE tenant_id = $1"
_ALLOW = """
INSERT INTO nocontent.gateway_models (tenant_id, model_id) SELECT $1, unnest($2::smallint[]) ON CONFLICT DO NOTHING
"""
_DISALLOW = """
DELETE FROM nocontent.gateway_models WHERE tenant_id = $1 AND model_id = ANY ($2::smallint[]) RETURNING model_id
"""
_FIND = """
SELECT term_id FROM nocontent.vocabulary
WHERE tenant_id IN (0, $1) AND kind = $2 AND parent_id = 0 AND term = $3 AND retired_at IS NULL
ORDER BY tenant_id LIMIT 1
"""


async def find(connection: Connection, tenant_id: int, kind: Kind, term: str) -> int:
    """Return the id of a category or model that the tenant may send; raises TermUnknown."""
    found = await connection.fetchval(_FIND, tenant_id, kind, term)
    if found in {None, UNKNOWN_ID}:  # Nothing can be routed to `unknown`.
        raise TermUnknown
    return int(found)


async def set_mode(connection: Connection, tenant_id: int, mode: Mode) -> None:
    """Have the tenant's gateway route, only say where it would, or neither; but for the last, declare the tag."""
    async with acts.act(connection) as act:
        await connection.execute(_SET["mode"], tenant_id, act.revision, MODES.index(mode))
        await act.note(tenant_id, "route.set-mode")
        if mode != "off":
            await _declare_reasons(connection, tenant_id)


async def set_confidence(connection: Connection, tenant_id: int, permille: int) -> None:
    """Set the confidence below which no request goes to another model."""
    await _set(connection, tenant_id, "confidence_min", permille)


async def set_concurrency(connection: Connection, tenant_id: int, requests: int) -> None:
    """Set how many requests of the tenant a gateway forwards at once; 0 leaves its own bound."""
    await _set(connection, tenant_id, "concurrency_max", requests)


async def set_route(connection: Connection, tenant_id: int, category_id: int, models: Sequence[int]) -> None:
    """Set the model of a category and those asked if it fails; raises NotAllowed or TooManyFallbacks."""
    if not 1 <= len(models) <= 1 + FALLBACKS_MAX or len(set(models)) < len(models):
        raise TooManyFallbacks
    async with acts.act(connection) as act:
        allowed = {row["model_id"] for row in await connection.fetch(_ALLOWED, tenant_id)}
        if allowed and not allowed.issuperset(models):
            raise NotAllowed
        await connection.execute(_TOUCH, tenant_id, act.revision)
        await connection.execute(_UNSET, tenant_id, category_id)
        await connection.execute(_ROUTE, tenant_id, category_id, list(models))
        await act.note(tenant_id, "route.set", Kind.TASK_CATEGORY, category_id)


async def unset_route(connection: Connection, tenant_id: int, category_id: int) -> bool:
    """Remove the route of a category; return whether there was one."""
    async with acts.act(connection) as act:
        if not await connection.fetch(_UNSET, tenant_id, category_id):
            return False
        await connection.execute(_TOUCH, tenant_id, act.revision)
        await act.note(tenant_id, "route.unset", Kind.TASK_CATEGORY, category_id)
    return True


async def allow(connection: Connection, tenant_id: int, models: Sequence[int]) -> None:
    """Add models to those that routes may name; with none, they may name any. Raises TooManyModels."""
    async with acts.act(connection) as act:
        known = {row["model_id"] for row in await connection.fetch(_ALLOWED, tenant_id)}
        if len(known | set(models)) > ALLOWED_MAX:
            raise TooManyModels
        await connection.execute(_ALLOW, tenant_id, list(models))
        await connection.execute(_TOUCH, tenant_id, act.revision)
        await _note_models(act, tenant_id, "route.allow", sorted(set(models) - known))


async def disallow(connection: Connection, tenant_id: int, models: Sequence[int]) -> list[int]:
    """Remove models from those that routes may name; return those that were among them.

    A route that names one stays, and is not followed, unless no model is left: then any is allowed again.
    """
    async with acts.act(connection) as act:
        gone = sorted(row["model_id"] for row in await connection.fetch(_DISALLOW, tenant_id, list(models)))
        await connection.execute(_TOUCH, tenant_id, act.revision)
        await _note_models(act, tenant_id, "route.disallow", gone)
    return gone


async def _set(connection: Connection, tenant_id: int, name: str, number: int) -> None:
    async with acts.act(connection) as act:
        await connection.execute(_SET[name], tenant_id, act.revision, number)
        await act.note(tenant_id, f"route.set-{name.partition('_')[0]}")


async def _note_models(act: Act, tenant_id: int, name: str, models: Sequence[int]) -> None:
    for model in models:
        await act.note(tenant_id, name, Kind.MODEL, model)


async def _declare_reasons(connection: Connection, tenant_id: int) -> None:
    """Declare the tag whose value is the reason of a decision, with every reason."""
    key = await vocabulary.tag_key_id(connection, tenant_id, TAG)
    if key is None:
        rule = await vocabulary.declare_tag(connection, tenant_id, TAG)
        assert rule is None  # No rule bars a word of ours; a test registers them all.
        key = await vocabulary.tag_key_id(connection, tenant_id, TAG)
    assert key is not None
    for reason in REASONS:
        assert await vocabulary.add(connection, tenant_id, Candidate(Kind.TAG_VALUE, key, reason)) is None
