"""Routing tables of gateways: what acts leave, and what the service reads of all tenants at once."""

from datetime import UTC, datetime, timedelta

import pytest

from ingest.knowledge.gateway import CATEGORIES, REASONS, TAG, GatewayTenant, Route
from ingest.store import connections, tenants, vocabulary
from ingest.store.connections import Connection
from ingest.store.gateway import acts, tables
from ingest.store.gateway.errors import NotAllowed, TermUnknown, TooManyFallbacks, TooManyModels
from schema.event import Kind
from schema.learning import Candidate

_PRICE = """
INSERT INTO prices (
    tenant_id, provider, model, since, until, input_tokens_above, input_tokens_up_to, input_picousd,
    cache_read_picousd, cache_write_5m_picousd, cache_write_1h_picousd, output_picousd, revision
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, -1, -1, -1, 9, 0)
"""
_NOW = datetime.now(UTC)


async def _model(owner: Connection, tenant: int, name: str) -> int:
    return await acts.find(owner, tenant, Kind.MODEL, name)


async def _category(owner: Connection, tenant: int, name: str) -> int:
    return await acts.find(owner, tenant, Kind.TASK_CATEGORY, name)


async def _table(database: str, tenant: int) -> GatewayTenant:
    """Return what the service's role reads of a tenant."""
    async with connections.connected(database, "nocontent_writer") as writer:
        return (await tables.read(writer)).tenants[tenant]


async def test_a_tenant_without_settings_has_no_table(owner: Connection) -> None:
    await tenants.add(owner, "acme")
    assert (await tables.read(owner)).tenants == {}


async def test_a_table_is_read_as_words_with_the_categories_and_tags_of_its_tenant(
    database: str, owner: Connection
) -> None:
    acme, globex = await tenants.add(owner, "acme"), await tenants.add(owner, "globex")
    await vocabulary.add(owner, acme, Candidate(Kind.MODEL, 0, "our-router-small"))
    await vocabulary.add(owner, acme, Candidate(Kind.TASK_CATEGORY, 0, "our-triage"))
    own, shipped = await _model(owner, acme, "our-router-small"), await _model(owner, acme, "claude-haiku-4-5")
    await acts.set_route(owner, acme, await _category(owner, acme, "our-triage"), [own])  # No gateway names it.
    await acts.set_route(owner, acme, await _category(owner, acme, "email"), [own, shipped])
    await acts.set_route(owner, acme, await _category(owner, acme, "debugging"), [shipped])
    await acts.allow(owner, acme, [own, shipped])
    await acts.set_confidence(owner, acme, 850)
    await acts.set_concurrency(owner, acme, 40)
    await acts.set_mode(owner, acme, "dry-run")
    await acts.set_mode(owner, globex, "on")
    found = await _table(database, acme)
    assert (found.mode, found.confidence_min, found.concurrency_max) == ("dry-run", 850, 40)
    assert set(found.routes) == {
        Route("email", "our-router-small", ("claude-haiku-4-5",)), Route("debugging", "claude-haiku-4-5"),
    }  # fmt: skip
    assert set(found.models) == {"our-router-small", "claude-haiku-4-5"}
    assert found.categories == tuple(sorted(CATEGORIES))
    assert found.tags == (TAG,)
    other = await _table(database, globex)
    assert (other.mode, other.routes, other.models) == ("on", (), ())
    assert other.categories == found.categories


async def test_routing_declares_every_reason_once(owner: Connection) -> None:
    acme = await tenants.add(owner, "acme")
    await acts.set_mode(owner, acme, "off")
    assert await vocabulary.tag_key_id(owner, acme, TAG) is None
    for mode in ("dry-run", "on", "dry-run"):
        await acts.set_mode(owner, acme, mode)
    rows = await vocabulary.list_all(owner, acme)
    assert {row["term"] for row in rows if row["kind"] == Kind.TAG_VALUE} == {"unknown", *REASONS}


async def test_every_act_is_audited_and_takes_a_revision(owner: Connection) -> None:
    acme = await tenants.add(owner, "acme")
    model, category = await _model(owner, acme, "claude-haiku-4-5"), await _category(owner, acme, "debugging")
    before = await tables.revision(owner)
    await acts.set_mode(owner, acme, "off")
    await acts.set_confidence(owner, acme, 1)
    await acts.set_concurrency(owner, acme, 1)
    await acts.allow(owner, acme, [model])
    await acts.set_route(owner, acme, category, [model])
    assert await acts.unset_route(owner, acme, category)
    assert not await acts.unset_route(owner, acme, category)
    assert await acts.disallow(owner, acme, [model]) == [model]
    noted = await owner.fetch("SELECT act, kind, term_id FROM audit WHERE act LIKE 'route.%' ORDER BY audit_id")
    assert [tuple(row) for row in noted] == [
        ("route.set-mode", None, None), ("route.set-confidence", None, None), ("route.set-concurrency", None, None),
        ("route.allow", Kind.MODEL, model), ("route.set", Kind.TASK_CATEGORY, category),
        ("route.unset", Kind.TASK_CATEGORY, category), ("route.disallow", Kind.MODEL, model),
    ]  # fmt: skip
    known = await tables.read(owner)
    assert known.revision == await owner.fetchval("SELECT revision FROM gateway_settings") > before


async def test_a_route_is_refused_for_its_reason(owner: Connection) -> None:
    acme = await tenants.add(owner, "acme")
    names = ("claude-haiku-4-5", "claude-sonnet-4-5", "claude-opus-4-5", "gpt-5", "gpt-5-mini")
    models = [await _model(owner, acme, name) for name in names]
    category = await _category(owner, acme, "debugging")
    with pytest.raises(TermUnknown):
        await acts.find(owner, acme, Kind.MODEL, "nobody-knows-this")
    with pytest.raises(TermUnknown):
        await acts.find(owner, acme, Kind.TASK_CATEGORY, "unknown")
    for refused in ([], models, [models[0], models[0]]):
        with pytest.raises(TooManyFallbacks):
            await acts.set_route(owner, acme, category, refused)
    await acts.allow(owner, acme, models[:2])
    with pytest.raises(NotAllowed):
        await acts.set_route(owner, acme, category, [models[0], models[2]])
    with pytest.raises(TooManyModels):
        await acts.allow(owner, acme, range(1, acts.ALLOWED_MAX + 2))
    assert (await tables.read(owner)).tenants[acme].routes == ()


async def test_a_retired_model_takes_its_route_along_and_opens_no_other(database: str, owner: Connection) -> None:
    acme = await tenants.add(owner, "acme")
    gone = Candidate(Kind.MODEL, 0, "our-router-small")
    await vocabulary.add(owner, acme, gone)
    own, shipped = await _model(owner, acme, gone.term), await _model(owner, acme, "claude-haiku-4-5")
    await acts.set_route(owner, acme, await _category(owner, acme, "debugging"), [own, shipped])
    await acts.set_route(owner, acme, await _category(owner, acme, "translation"), [shipped, own])
    await vocabulary.remove(owner, acme, gone)
    assert (await _table(database, acme)).routes == (Route("translation", "claude-haiku-4-5"),)
    await vocabulary.add(owner, acme, gone)
    await acts.allow(owner, acme, [own])
    await vocabulary.remove(owner, acme, gone)
    # An empty list would have allowed the model of every route.
    assert ((found := await _table(database, acme)).models, found.routes) == ((), ())


async def test_rates_are_those_in_force_of_the_smallest_requests(database: str, owner: Connection) -> None:
    acme, globex = await tenants.add(owner, "acme"), await tenants.add(owner, "globex")
    model, other = await _model(owner, acme, "claude-haiku-4-5"), await _model(owner, acme, "claude-sonnet-4-5")
    provider = await acts.find(owner, acme, Kind.PROVIDER, "anthropic")
    hour = timedelta(hours=1)
    for tenant in (acme, globex):
        for since, until, above, input_rate in (
            (_NOW - 9 * hour, _NOW - hour, -1, 1), (_NOW - hour, _NOW + hour, 200_000, 2),
            (_NOW - hour, _NOW + hour, -1, 3), (_NOW + hour, _NOW + 9 * hour, -1, 4),
        ):  # fmt: skip
            await owner.execute(_PRICE, tenant, provider, model, since, until, above, above + 200_001, input_rate)
        await owner.execute(_PRICE, tenant, provider, other, _NOW + hour, _NOW + 9 * hour, -1, 0, 5)
    await acts.set_mode(owner, acme, "on")
    await acts.set_mode(owner, globex, "off")
    (rate,) = (await _table(database, acme)).rates
    assert (rate.provider, rate.model, rate.input, rate.cache_read, rate.output) == (
        "anthropic", "claude-haiku-4-5", 3, -1, 9,
    )  # fmt: skip
    assert (await _table(database, globex)).rates == ()
