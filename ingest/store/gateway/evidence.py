"""Reads what a tenant's requests used, how they ended and what models cost now: all that a suggestion is made of.

It reads sums, never events, so it knows nothing that they lack: a stop reason, or whether an answer was good.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from ingest.knowledge.gateway import TAG
from ingest.pricing.rates import Rates, Tokens
from ingest.store import connections
from ingest.store.connections import Connection
from ingest.store.usage.book import BOOK, COLUMNS, read_row
from ingest.store.usage.columns import TAGS, Grain
from ingest.store.usage.days import DAY, floor
from schema.event import Kind

DAYS = 30
Bins = Mapping[int, int]  # Of `ingest.usage.histogram`, with their counts.
_RANGE = "tenant_id = $1 AND grain = $2 AND at >= $3 AND at < $4"
# Of the statuses: 0 ok, 4 cancelled, which was the client's doing.
_CELLS = f"""
SELECT task_category, provider, requested_model, routed_model,
    coalesce(nocontent.total(events) FILTER (WHERE status <> 4), 0) AS events,
    coalesce(nocontent.total(events) FILTER (WHERE status NOT IN (0, 4)), 0) AS failed,
    coalesce(nocontent.total(retried) FILTER (WHERE status <> 4), 0) AS retried,
    coalesce(nocontent.total(fallback + escalated) FILTER (WHERE status <> 4), 0) AS replaced,
    nocontent.total(reported_cost_nanousd + computed_cost_nanousd) AS spent_nanousd,
    nocontent.total(input_tokens) AS input, nocontent.total(cache_read_tokens) AS cache_read,
    nocontent.total(cache_write_5m_tokens) AS cache_write_5m, nocontent.total(cache_write_1h_tokens) AS cache_write_1h,
    nocontent.total(output_tokens) AS output
FROM nocontent.usage WHERE {_RANGE} AND task_category > 0
GROUP BY task_category, provider, requested_model, routed_model
ORDER BY task_category, provider, requested_model, routed_model
"""  # noqa: S608 (our own names)
_LATENCIES = f"""
SELECT task_category, routed_model, own.bin, nocontent.total(own.amount) AS amount
FROM nocontent.usage CROSS JOIN unnest(latency_bins, latency_counts) AS own (bin, amount)
WHERE {_RANGE} AND task_category > 0 AND status = 0
GROUP BY task_category, routed_model, own.bin
"""  # noqa: S608 (as above)
_RATES = f"""
SELECT {COLUMNS} FROM nocontent.prices
WHERE tenant_id = $1 AND provider = ANY ($2::smallint[]) AND model = ANY ($3::smallint[])
    AND since <= $4 AND until > $4
"""  # noqa: S608 (as above)


_REASONS = f"""
SELECT term_id, term FROM nocontent.vocabulary
WHERE tenant_id = $1 AND kind = {Kind.TAG_VALUE} AND parent_id = (
    SELECT term_id FROM nocontent.vocabulary
    WHERE tenant_id = $1 AND kind = {Kind.TAG_KEY} AND parent_id = 0 AND term = '{TAG}'
)
"""  # noqa: S608 (as above)
# Of the four tags of a row at most one is a value of the key.
_REASON = " ".join(f"WHEN {tag} = ANY ($5::smallint[]) THEN {tag}" for tag in TAGS)
_DECIDED = f"""
SELECT reason, task_category, provider, routed_model, nocontent.total(events) AS events,
    nocontent.total(input_tokens) AS input, nocontent.total(cache_read_tokens) AS cache_read,
    nocontent.total(cache_write_5m_tokens) AS cache_write_5m, nocontent.total(cache_write_1h_tokens) AS cache_write_1h,
    nocontent.total(output_tokens) AS output
FROM nocontent.usage CROSS JOIN LATERAL (SELECT CASE {_REASON} END AS reason) AS own
WHERE {_RANGE} AND reason IS NOT NULL
GROUP BY reason, task_category, provider, routed_model
ORDER BY reason, task_category, provider, routed_model
"""  # noqa: S608 (as above)


class Cell(NamedTuple):
    """What requests of one category used that asked for one model and were served by another, or the same.

    `events`, `failed`, `retried` and `replaced` leave out what a client cancelled; `replaced` counts flags of fallbacks
    and of escalations.
    """

    category_id: int
    provider_id: int
    requested_id: int
    routed_id: int
    events: int
    failed: int
    retried: int
    replaced: int
    spent_nanousd: int
    tokens: Tokens


class Decided(NamedTuple):
    """Requests of a category for which a gateway gave one reason, by the model that served them."""

    reason: str
    category_id: int
    provider_id: int
    routed_id: int
    events: int
    tokens: Tokens


class Evidence(NamedTuple):
    """The sums of the last days, times of good answers by category and model, and the rates of both owners now."""

    now: datetime
    cells: Sequence[Cell]
    decided: Sequence[Decided]
    latencies: Mapping[tuple[int, int], Bins]
    own_rates: Mapping[tuple[int, int], Sequence[Rates]]  # By provider and model.
    book_rates: Mapping[tuple[int, int], Sequence[Rates]]


async def read(connection: Connection, tenant_id: int, more_models: Sequence[int]) -> Evidence:
    """Read the evidence of a tenant, with the rates of models that it may not have used yet."""
    now = await connections.now(connection)
    span = (floor(now, DAY) - timedelta(days=DAYS), floor(now, DAY) + DAY)
    cells = [
        Cell._make((*list(row)[:9], Tokens(*list(row)[9:])))
        for row in await connection.fetch(_CELLS, tenant_id, Grain.DAY, *span)
    ]
    reasons = {row["term_id"]: row["term"] for row in await connection.fetch(_REASONS, tenant_id)}
    rows = await connection.fetch(_DECIDED, tenant_id, Grain.DAY, *span, list(reasons)) if reasons else []
    decided = [Decided._make((reasons[row["reason"]], *list(row)[1:5], Tokens(*list(row)[5:]))) for row in rows]
    latencies: dict[tuple[int, int], dict[int, int]] = defaultdict(dict)
    for row in await connection.fetch(_LATENCIES, tenant_id, Grain.DAY, *span):
        latencies[row["task_category"], row["routed_model"]][row["bin"]] = row["amount"]
    models = {*more_models, *(cell.routed_id for cell in cells), *(cell.requested_id for cell in cells)}
    providers = {cell.provider_id for cell in cells}
    own, book = [
        await _rates(connection, owner, (sorted(providers), sorted(models)), now) for owner in (tenant_id, BOOK)
    ]
    return Evidence(now, cells, decided, latencies, own, book)


async def _rates(
    connection: Connection, owner: int, wanted: tuple[Sequence[int], Sequence[int]], now: datetime
) -> dict[tuple[int, int], list[Rates]]:
    found: dict[tuple[int, int], list[Rates]] = defaultdict(list)
    for record in await connection.fetch(_RATES, owner, *wanted, now):
        price = read_row(record)
        found[price.provider, price.model].append(price.rates)
    return found
