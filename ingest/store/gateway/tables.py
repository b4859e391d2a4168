"""Reads what gateways must know of every tenant that has settings: its routes as words, and its rates now."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import asyncpg

from ingest.knowledge.gateway import CATEGORIES, MODES, GatewayTenant, Rate, Route
from ingest.store.connections import Connection
from schema.event import Kind

TENANTS_A_ROUND = 50  # In each round of the event loop: some milliseconds of work.
_CATALOGUE = 0
# Plain integers, whose hash takes a third of the time of an enum's.
_CATEGORY, _PROVIDER, _MODEL, _TAG_KEY = (
    int(kind) for kind in (Kind.TASK_CATEGORY, Kind.PROVIDER, Kind.MODEL, Kind.TAG_KEY)
)
_REVISION = "SELECT revision FROM nocontent.control WHERE control_id = 1"
_SETTINGS = """
SELECT tenant_id, mode, confidence_min, concurrency_max FROM nocontent.gateway_settings ORDER BY tenant_id
"""
_ROUTES = """
SELECT tenant_id, category_id, model_id, place FROM nocontent.gateway_routes ORDER BY tenant_id, category_id, place
"""
_MODELS = "SELECT tenant_id, model_id FROM nocontent.gateway_models ORDER BY tenant_id, model_id"
_RATES = """
SELECT its_tenant, its_provider, its_model, its_input, its_cache_read, its_cache_write_5m, its_cache_write_1h,
    its_output
FROM nocontent.gateway_rates()
"""
# The categories that may be named, every tag key that a tenant may send, and what its table names.
_TERMS = """
SELECT tenant_id, kind, term_id, term FROM nocontent.vocabulary
WHERE tenant_id = ANY ($1::integer[]) AND retired_at IS NULL
    AND (kind = 4 OR kind = 1 AND term = ANY ($4::text[])
        OR kind = 2 AND term_id = ANY ($2::smallint[]) OR kind = 3 AND term_id = ANY ($3::smallint[]))
ORDER BY tenant_id, kind, term_id
"""


class Tables(NamedTuple):
    """The tables as of a revision. Prices also begin and end by the clock: a table is right for a minute or so."""

    revision: int
    tenants: Mapping[int, GatewayTenant]


async def revision(connection: Connection) -> int:
    """Return the revision of the last act, whatever it was about."""
    return int(await connection.fetchval(_REVISION))


async def read(connection: Connection) -> Tables:
    """Read the tables of all tenants with settings, as of one moment."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        known = await revision(connection)
        settings = await connection.fetch(_SETTINGS)
        routes = _by_tenant(await connection.fetch(_ROUTES))
        allowed = _by_tenant(await connection.fetch(_MODELS))
        rates = _by_tenant(await connection.fetch(_RATES))
        words = await _words(connection, [row["tenant_id"] for row in settings], routes, allowed, rates)
    tenants = {}
    for number, row in enumerate(settings, 1):
        own = row["tenant_id"]
        tenants[own] = _tenant(row, words, (routes[own], allowed[own], rates[own]))
        if number % TENANTS_A_ROUND == 0:
            await asyncio.sleep(0)
    return Tables(known, tenants)


_Rows = Mapping[int, Sequence[asyncpg.Record]]


def _by_tenant(rows: Iterable[asyncpg.Record]) -> _Rows:
    found: dict[int, list[asyncpg.Record]] = defaultdict(list)
    for row in rows:
        found[row[0]].append(row)
    return found


class _Words(NamedTuple):
    """Terms that are not retired, by tenant, kind and id; those of the catalogue are everybody's."""

    terms: Mapping[int, Mapping[tuple[int, int], str]]
    categories: tuple[str, ...]  # They are of the catalogue.

    def term(self, tenant_id: int, kind: int, term_id: int) -> str | None:
        key = (kind, term_id)
        return self.terms[tenant_id].get(key) or self.terms[_CATALOGUE].get(key)

    def own(self, tenant_id: int, kind: int) -> tuple[str, ...]:
        return tuple([term for (number, _), term in self.terms[tenant_id].items() if number == kind])


async def _words(
    connection: Connection, tenant_ids: Sequence[int], routes: _Rows, allowed: _Rows, rates: _Rows
) -> _Words:
    models = {row["model_id"] for rows in (*routes.values(), *allowed.values()) for row in rows}
    models |= {row["its_model"] for rows in rates.values() for row in rows}
    providers = {row["its_provider"] for rows in rates.values() for row in rows}
    found: dict[int, dict[tuple[int, int], str]] = defaultdict(dict)
    for row in await connection.fetch(_TERMS, [_CATALOGUE, *tenant_ids], sorted(providers), sorted(models), CATEGORIES):
        found[row["tenant_id"]][row["kind"], row["term_id"]] = row["term"]
    shipped = tuple(term for (kind, _), term in found[_CATALOGUE].items() if kind == _CATEGORY)
    return _Words(found, shipped)


_Parts = tuple[Sequence[asyncpg.Record], Sequence[asyncpg.Record], Sequence[asyncpg.Record]]


def _tenant(settings: asyncpg.Record, words: _Words, parts: _Parts) -> GatewayTenant:
    own = settings["tenant_id"]
    routes, allowed, rates = parts
    models = tuple(term for row in allowed if (term := words.term(own, _MODEL, row["model_id"])))
    return GatewayTenant(
        own,
        MODES[settings["mode"]],
        settings["confidence_min"],
        # An empty list allows the models of all routes, so one of retired models alone must not come out as empty.
        () if allowed and not models else _routes(own, words, routes),
        models,
        words.categories,
        tuple(rate for row in rates if (rate := _rate(own, words, row))),
        settings["concurrency_max"],
        words.own(own, _TAG_KEY),
    )


def _routes(own: int, words: _Words, rows: Sequence[asyncpg.Record]) -> tuple[Route, ...]:
    """Return the routes whose category and model are terms still; a fallback that is none is left out."""
    places: dict[int, dict[int, str]] = defaultdict(dict)
    for row in rows:
        if term := words.term(own, _MODEL, row["model_id"]):
            places[row["category_id"]][row["place"]] = term
    made = []
    for category_id, models in places.items():
        category = words.term(own, _CATEGORY, category_id)
        if category and 0 in models:
            made.append(Route(category, models.pop(0), tuple(models.values())))
    return tuple(made)


def _rate(own: int, words: _Words, row: asyncpg.Record) -> Rate | None:
    provider = words.term(own, _PROVIDER, row["its_provider"])
    model = words.term(own, _MODEL, row["its_model"])
    return Rate(provider, model, *list(row)[3:]) if provider and model else None
