"""Reads the routing table of one tenant, for its people and its operator."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from ingest.knowledge.gateway import MODES, Mode
from ingest.store.connections import Connection
from ingest.store.gateway.acts import CONFIDENCE_DEFAULT
from schema.event import Kind

_SETTINGS = """
SELECT mode, confidence_min, concurrency_max, changed_at FROM nocontent.gateway_settings WHERE tenant_id = $1
"""
_ROUTES = """
SELECT category_id, model_id FROM nocontent.gateway_routes WHERE tenant_id = $1 ORDER BY category_id, place
"""
_MODELS = "SELECT model_id FROM nocontent.gateway_models WHERE tenant_id = $1 ORDER BY model_id"
_TERMS = """
SELECT kind, term_id, term, retired_at IS NOT NULL AS is_retired FROM nocontent.vocabulary
WHERE tenant_id IN (0, $1)
    AND (kind = 1 AND term_id = ANY ($2::smallint[]) OR kind = 3 AND term_id = ANY ($3::smallint[]))
"""


class Settings(NamedTuple):
    """What holds for all requests of a tenant; `changed_at` is None if nobody ever set anything."""

    mode: Mode = "off"
    confidence_min: int = CONFIDENCE_DEFAULT
    concurrency_max: int = 0
    changed_at: datetime | None = None


class Table(NamedTuple):
    """A tenant's table as ids: the models of each category in their order, and those that are allowed by name."""

    settings: Settings
    routes: Mapping[int, Sequence[int]]
    allowed: Sequence[int]

    @property
    def models(self) -> set[int]:
        return {*self.allowed, *(model for models in self.routes.values() for model in models)}


class Words(NamedTuple):
    """The terms of ids, and which are retired: no request may name those any more."""

    categories: Mapping[int, str]
    models: Mapping[int, str]
    retired: frozenset[tuple[int, int]]  # By kind and id.


async def read(connection: Connection, tenant_id: int) -> Table:
    """Return the table of a tenant."""
    found = await connection.fetchrow(_SETTINGS, tenant_id)
    settings = Settings() if found is None else Settings(MODES[found["mode"]], *list(found)[1:])
    routes: dict[int, list[int]] = defaultdict(list)
    for row in await connection.fetch(_ROUTES, tenant_id):
        routes[row["category_id"]].append(row["model_id"])
    allowed = [row["model_id"] for row in await connection.fetch(_MODELS, tenant_id)]
    return Table(settings, routes, allowed)


async def words(connection: Connection, tenant_id: int, categories: set[int], models: set[int]) -> Words:
    """Return the terms of categories and models."""
    rows = await connection.fetch(_TERMS, tenant_id, sorted(categories), sorted(models))
    by_kind: dict[int, dict[int, str]] = {Kind.TASK_CATEGORY: {}, Kind.MODEL: {}}
    for row in rows:
        by_kind[row["kind"]][row["term_id"]] = row["term"]
    retired = frozenset((row["kind"], row["term_id"]) for row in rows if row["is_retired"])
    return Words(by_kind[Kind.TASK_CATEGORY], by_kind[Kind.MODEL], retired)
