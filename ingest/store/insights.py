"""Reads what tenants that take part used in a month, and writes and reads releases of figures across tenants.

A month is released once: the ledger's key refuses a second release, whoever runs it.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import NamedTuple

import asyncpg

from ingest.knowledge.insights import Bins, ReleasedRoute, Route, RouteSums
from ingest.store import acts
from ingest.store.connections import Connection
from ingest.store.errors import MonthReleased
from ingest.store.usage.columns import Grain
from schema.event import Kind


class NewRelease(NamedTuple):
    """A release to write; PostgreSQL's clock says when it was."""

    month: date
    scheme: int
    epsilon_millionths: int
    delta_billionths: int


class Release(NamedTuple):
    """A line of the ledger."""

    month: date
    released_at: datetime
    scheme: int
    epsilon_millionths: int
    delta_billionths: int


_PARTICIPANTS = """
SELECT tenant_id FROM nocontent.tenants own
WHERE insights AND NOT EXISTS (
    SELECT FROM nocontent.erasures known WHERE known.tenant_id = own.tenant_id AND known.scope = 'tenant'
)
ORDER BY tenant_id
"""
_MONTH_SUMS = """
SELECT task_category, requested_model, routed_model, nocontent.total(events) AS events,
    nocontent.total(baseline_events + savings_priced_events) AS covered,
    nocontent.total(reported_cost_nanousd + computed_cost_nanousd) AS cost_nanousd,
    nocontent.total(savings_reported_nanousd + savings_priced_nanousd) AS saved_nanousd
FROM nocontent.usage WHERE tenant_id = $1 AND grain = $2 AND at >= $3 AND at < $4
GROUP BY task_category, requested_model, routed_model
"""
_MONTH_LATENCIES = """
SELECT task_category, requested_model, routed_model, own.bin, nocontent.total(own.amount) AS amount
FROM nocontent.usage
JOIN unnest($5::smallint[], $6::smallint[], $7::smallint[]) AS asked (task_category, requested_model, routed_model)
    USING (task_category, requested_model, routed_model)
CROSS JOIN unnest(latency_bins, latency_counts) AS own (bin, amount)
WHERE tenant_id = $1 AND grain = $2 AND at >= $3 AND at < $4
GROUP BY task_category, requested_model, routed_model, own.bin
"""
_IS_PENDING = "SELECT EXISTS (SELECT FROM nocontent.usage_marks WHERE last >= $1 AND first < $2)"
_IS_TRIMMED = """
SELECT EXISTS (
    SELECT FROM nocontent.retention
    WHERE retention_id = 1 AND usage_days IS NOT NULL AND $1 < horizon - greatest(usage_days - retention_days, 0)
)
"""
_HAS_ENDED = "SELECT $1::date <= (now() AT TIME ZONE 'UTC')::date"
_ADD = "SELECT nocontent.add_insight_release($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
_LEDGER = """
SELECT month, released_at, scheme, epsilon_millionths, delta_billionths FROM nocontent.insight_releases
ORDER BY month DESC
"""
_ROUTES = """
SELECT task_category, requested_model, routed_model, weight, covered, saved, latency FROM nocontent.insight_routes
WHERE month = $1 ORDER BY task_category, requested_model, routed_model
"""
_TERMS = """
SELECT kind, term_id, term FROM nocontent.vocabulary
WHERE tenant_id = 0 AND (kind = $1 AND term_id = ANY($2::smallint[]) OR kind = $3 AND term_id = ANY($4::smallint[]))
"""
_TAKES_PART = "SELECT insights FROM nocontent.tenants WHERE tenant_id = $1"
_SET = "UPDATE nocontent.tenants SET insights = $2, revision = $3 WHERE tenant_id = $1"
_EXCLUDED = "SELECT name FROM nocontent.tenants WHERE NOT insights ORDER BY name"


class Month(NamedTuple):
    """The times of a month of UTC."""

    since: datetime
    before: datetime


async def participants(connection: Connection) -> list[int]:
    """Return the tenants that take part and are not being erased."""
    return [row["tenant_id"] for row in await connection.fetch(_PARTICIPANTS)]


async def month_sums(connection: Connection, tenant_id: int, month: Month) -> list[RouteSums]:
    """Return what a tenant used on each of its routes."""
    rows = await connection.fetch(_MONTH_SUMS, tenant_id, Grain.DAY, *month)
    return [RouteSums(_route(row), *(row[name] for name in RouteSums._fields[1:])) for row in rows]


async def month_latencies(
    connection: Connection, tenant_id: int, month: Month, routes: Sequence[Route]
) -> Mapping[Route, Bins]:
    """Return the histogram of the times that requests of some routes took."""
    columns = [[route[place] for route in routes] for place in range(3)]
    found: dict[Route, dict[int, int]] = {}
    for row in await connection.fetch(_MONTH_LATENCIES, tenant_id, Grain.DAY, *month, *columns):
        found.setdefault(_route(row), {})[row["bin"]] = row["amount"]
    return found


async def has_ended(connection: Connection, month: Month) -> bool:
    """Return whether a month is over by PostgreSQL's clock."""
    return bool(await connection.fetchval(_HAS_ENDED, month.before.date()))


async def is_pending(connection: Connection, month: Month) -> bool:
    """Return whether events of a month are not in the sums yet."""
    return bool(await connection.fetchval(_IS_PENDING, *month))


async def is_trimmed(connection: Connection, month: Month) -> bool:
    """Return whether sums of a month may have been deleted by their retention."""
    return bool(await connection.fetchval(_IS_TRIMMED, month.since.date()))


async def add(connection: Connection, release: NewRelease, routes: Iterable[ReleasedRoute]) -> None:
    """Write a release; raises MonthReleased if the ledger has its month, also by a transaction at the same time."""
    rows = [(*row.route, *row[1:]) for row in routes]
    columns = [[row[place] for row in rows] for place in range(7)]
    try:
        await connection.execute(_ADD, *release, *columns)
    except asyncpg.UniqueViolationError:
        raise MonthReleased from None


async def ledger(connection: Connection) -> list[Release]:
    """Return every release, the newest month first."""
    return [Release(*row) for row in await connection.fetch(_LEDGER)]


async def routes(connection: Connection, month: date) -> list[ReleasedRoute]:
    """Return what was released of a month, in the order of ids; OTHER comes first."""
    return [ReleasedRoute(_route(row), *list(row)[3:]) for row in await connection.fetch(_ROUTES, month)]


async def terms(connection: Connection, found: Sequence[ReleasedRoute]) -> Mapping[tuple[Kind, int], str]:
    """Return the words of the shared catalogue for the ids of routes."""
    categories = [row.route.task_category for row in found]
    models = [number for row in found for number in row.route[1:]]
    rows = await connection.fetch(_TERMS, int(Kind.TASK_CATEGORY), categories, int(Kind.MODEL), models)
    return {(Kind(row["kind"]), row["term_id"]): row["term"] for row in rows}


async def takes_part(connection: Connection, tenant_id: int) -> bool:
    """Return whether a tenant takes part in the next release."""
    return bool(await connection.fetchval(_TAKES_PART, tenant_id))


async def set_takes_part(connection: Connection, tenant_id: int, *, takes_part: bool) -> None:
    """Have a tenant take part from the next release on, or no longer."""
    async with acts.act(connection) as act:
        await connection.execute(_SET, tenant_id, takes_part, act.revision)
        await act.note(tenant_id, "tenant.set-insights")


async def excluded(connection: Connection) -> list[str]:
    """Return the names of tenants that take no part."""
    return [row["name"] for row in await connection.fetch(_EXCLUDED)]


def _route(row: asyncpg.Record) -> Route:
    return Route(row["task_category"], row["requested_model"], row["routed_model"])
