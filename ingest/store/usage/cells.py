"""Sums events in SQL by quarter of an hour and all dimensions, with what they cost by the price book.

An event's rate is that of the tenant's override at its time, or else the book's, in the tier of its whole input. Each
event's price is rounded by itself, so sums do not depend on how events are grouped.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg

from ingest.pricing.rates import ANY_SIZE, DAY_MINUTES, SIZE_MAX
from ingest.store.connections import Connection
from ingest.store.usage.columns import DIMENSIONS, FLAGS, HISTOGRAMS, SUMS, TAGS, TOKENS

EPOCH = "'2000-01-01T00:00:00Z'::timestamptz"


class Span(NamedTuple):
    """Events of a tenant from `first` to `last`; of these transactions only, if there are any."""

    tenant_id: int
    first: datetime
    last: datetime
    xids: tuple[int, ...] = ()


class _Joins(NamedTuple):
    """Joins that find an event's rates, and the prices of its routed and its requested model by them."""

    joins: str
    listed: str
    requested: str


_MODELS = {
    "routed": "event.routed_model",
    "requested": "CASE WHEN event.baseline_cost_nanousd < 0 THEN event.requested_model END",  # Or it is not used.
}


_WHOLE_INPUT = (
    "(event.input_tokens + event.cache_read_tokens + event.cache_write_5m_tokens + event.cache_write_1h_tokens)"
)


def _join(alias: str, model: str, owner: str) -> str:
    """Return a join; most rates are plain: they apply to all events of the query."""
    return f"""
    LEFT JOIN price {alias}
        ON {alias}.tenant_id {owner} AND {alias}.provider = event.provider AND {alias}.model = {model}
        AND ({alias}.is_plain OR (
            event.occurred_at >= {alias}.since AND event.occurred_at < {alias}.until
            AND {_WHOLE_INPUT} > {alias}.input_tokens_above AND {_WHOLE_INPUT} <= {alias}.input_tokens_up_to
            AND (({alias}.from_minute = 0 AND {alias}.before_minute = 1440) OR (
                floor(date_part('epoch', event.occurred_at) / 60)::bigint % 1440 >= {alias}.from_minute
                AND floor(date_part('epoch', event.occurred_at) / 60)::bigint % 1440 < {alias}.before_minute
            ))
        ))"""


_RATED = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "output")
_PRICE = f"""
    SELECT *,
        least({", ".join(f"{part}_picousd" for part in _RATED)}) >= 0 AS is_complete,
        since <= (SELECT min(first) FROM span) AND until > (SELECT max(last) FROM span)
            AND from_minute = 0 AND before_minute = {DAY_MINUTES}
            AND input_tokens_above = {ANY_SIZE} AND input_tokens_up_to = {SIZE_MAX} AS is_plain
    FROM nocontent.prices
    WHERE tenant_id = ANY(0 || $1::integer[])
        AND since <= (SELECT max(last) FROM span) AND until > (SELECT min(first) FROM span)"""  # noqa: S608 (constants)


def _nanousd(alias: str) -> str:
    lacks = " OR ".join(f"(event.{part}_tokens > 0 AND {alias}.{part}_picousd < 0)" for part in _RATED)
    sums = " + ".join(f"event.{part}_tokens * {alias}.{part}_picousd" for part in _RATED)
    return f"CASE WHEN {alias}.is_complete OR NOT ({lacks}) THEN ({sums} + 500) / 1000 END"


def _own_or_book(name: str) -> str:
    return f"CASE WHEN own_{name}.tenant_id IS NOT NULL THEN {_nanousd(f'own_{name}')} ELSE {_nanousd(name)} END"


_BOOK = _Joins(
    "".join(_join(name, model, "= 0") for name, model in _MODELS.items()), _nanousd("routed"), _nanousd("requested")
)
# A hash of overrides leaves out the 20,000 rows of the book (tenant 0).
_WITH_OVERRIDES = _Joins(
    _BOOK.joins
    + "".join(
        _join(f"own_{name}", model, f"= event.tenant_id AND own_{name}.tenant_id > 0")
        for name, model in _MODELS.items()
    ),
    _own_or_book("routed"),
    _own_or_book("requested"),
)
_HAS_OVERRIDES = "SELECT EXISTS (SELECT FROM nocontent.prices WHERE tenant_id > 0 AND tenant_id = ANY($1::integer[]))"

_KNOWN = "CASE WHEN cost_nanousd >= 0 THEN cost_nanousd ELSE list_nanousd END"
# NULL for events that do not count, so that `total` and `count` of it need no condition.
_AMOUNTS = {
    "reported": "CASE WHEN cost_nanousd >= 0 THEN cost_nanousd END",
    "computed": "CASE WHEN cost_nanousd < 0 THEN list_nanousd END",
    "checked": "CASE WHEN cost_nanousd >= 0 THEN list_nanousd END",
    # Beyond 1 % of the list price and beyond 1,000 nano-USD.
    "mismatch": "CASE WHEN cost_nanousd >= 0"
    " AND abs(cost_nanousd - list_nanousd) * 100 > greatest(list_nanousd, 100000) THEN cost_nanousd - list_nanousd END",
    "baseline": f"CASE WHEN baseline_cost_nanousd >= 0 AND {_KNOWN} IS NOT NULL THEN baseline_cost_nanousd END",
    "saved": f"CASE WHEN baseline_cost_nanousd >= 0 THEN baseline_cost_nanousd - {_KNOWN} END",
    "priced": f"CASE WHEN baseline_cost_nanousd < 0 THEN requested_nanousd - {_KNOWN} END",
}
_MEASURES = {
    "events": "count(*)",
    **{name: f"sum({name})" for name in TOKENS},
    "reported_cost_nanousd": "nocontent.total(reported)",
    "reported_cost_events": "count(reported)",
    "computed_cost_nanousd": "nocontent.total(computed)",
    "computed_cost_events": "count(computed)",
    "unpriced_events": "count(*) - count(reported) - count(computed)",
    "checked_events": "count(checked)",
    "checked_list_cost_nanousd": "nocontent.total(checked)",
    "mismatched_events": "count(mismatch)",
    "mismatch_nanousd": "nocontent.total(mismatch)",
    "unchecked_events": "count(reported) - count(checked)",
    "baseline_cost_nanousd": "nocontent.total(baseline)",
    "baseline_events": "count(baseline)",
    "savings_reported_nanousd": "nocontent.total(saved)",
    "savings_priced_events": "count(priced)",
    "savings_priced_nanousd": "nocontent.total(priced)",
    **{name: f"sum(outcome >> {bit} & 1)" for bit, name in enumerate(FLAGS)},
}
assert tuple(_MEASURES) == SUMS


_EVENT = (
    "tenant_id", "occurred_at", "cost_nanousd", "baseline_cost_nanousd", *TOKENS, "latency_ms", "ttft_ms",
    "task_category", "provider", "requested_model", "routed_model", "outcome", *TAGS,
)  # fmt: skip
_CELL = ("tenant_id", "at", *DIMENSIONS)
_KEPT = tuple(name for name in _EVENT if not name.endswith("_nanousd"))


# Of sums that are made from all rows. Marked rows are added with theirs: whoever annotates one asks for its hour again.
_NOT_ANNOTATED = """
                    AND NOT EXISTS (
                        SELECT FROM nocontent.annotations annotation
                        WHERE annotation.tenant_id = span.tenant_id
                            AND annotation.occurred_at BETWEEN span.first AND span.last
                            AND annotation.occurred_at = event.occurred_at AND annotation.event_id = event.event_id
                    )"""


def _query(prices: _Joins, match: str, condition: str = "") -> str:
    """Return the query on spans.

    OFFSET 0 keeps the planner from scanning whole days instead of each span, or a span once for each of its marks, and
    from working out an event's price anew in each sum that it is part of. The planner takes the one element of JSON for
    a hundred, and so a span's rows for enough to hash the prices instead. Times are sent as they are, in bytes, since
    `grains` finds their bins for less.
    """
    return f"""
WITH span AS MATERIALIZED (
    SELECT tenant_id, first, last, place
    FROM unnest($1::integer[], $2::timestamptz[], $3::timestamptz[]) WITH ORDINALITY
        AS span (tenant_id, first, last, place)
    CROSS JOIN json_array_elements('[0]')
), price AS MATERIALIZED ({_PRICE}
)
SELECT
    {", ".join(_CELL)},
    {", ".join(f"{measure} AS {name}" for name, measure in _MEASURES.items())},
    {", ".join(f"array_send(array_agg({name}_ms)) AS {name}" for name in HISTOGRAMS)}
FROM (
    SELECT {", ".join(_KEPT)}, date_bin('15 minutes', occurred_at, {EPOCH}) AS at, outcome >> 5 & 7 AS status,
        {", ".join(f"{amount} AS {name}" for name, amount in _AMOUNTS.items())}
    FROM (
        SELECT {", ".join(f"event.{name}" for name in _EVENT)},
            {prices.listed} AS list_nanousd, {prices.requested} AS requested_nanousd
        FROM (
            SELECT {", ".join(f"event.{name}" for name in _EVENT)}, event.xmin, span.place
            FROM span CROSS JOIN LATERAL (
                SELECT {", ".join(f"event.{name}" for name in _EVENT)}, event.xmin FROM nocontent.events event
                WHERE event.tenant_id = span.tenant_id AND event.occurred_at BETWEEN span.first AND span.last{condition}
                OFFSET 0
            ) AS event
            OFFSET 0
        ) AS event{match}{prices.joins}
        OFFSET 0
    ) AS event
    OFFSET 0
) AS event
GROUP BY {", ".join(_CELL)}
"""  # noqa: S608 (the names are our own)


_MARK = (
    " JOIN unnest($4::bigint[], $5::xid[]) AS mark (place, xid) ON mark.place = event.place AND mark.xid = event.xmin"
)
_JOINS = {False: _BOOK, True: _WITH_OVERRIDES}  # By whether a tenant of the spans has overrides.
_OF_SPANS = {has_overrides: _query(joins, "", _NOT_ANNOTATED) for has_overrides, joins in _JOINS.items()}
_OF_EVENTS = {
    has_overrides: _query(joins, "", f"{_NOT_ANNOTATED} AND event.event_id = ANY($4::uuid[])")
    for has_overrides, joins in _JOINS.items()
}
_OF_MARKS = {has_overrides: _query(joins, _MARK) for has_overrides, joins in _JOINS.items()}
# Estimates of the rows of a mark are far too low: the planner would sort where hashing takes less than half (decision
# 0023), and look up four prices a row by an index; and those of a day that is made again for ten, so that it would make
# all histograms again for each of some thousand. LATERAL leaves a nested loop no alternative, so it stays there.
SETTINGS = (
    "SET LOCAL enable_sort = off; SET LOCAL enable_nestloop = off; SET LOCAL enable_mergejoin = off;"
    " SET LOCAL jit = off; SET LOCAL work_mem = '128MB';"
    " SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL plan_cache_mode = force_custom_plan"
)
TIMEOUT_S = 600.0  # Of an hour of a tenant with 100 M events, if it is summed again.


async def of_spans(connection: Connection, spans: Sequence[Span]) -> list[asyncpg.Record]:
    """Return the sums of all events of spans, but for those that are annotated."""
    columns = [list(column) for column in list(zip(*spans, strict=True))[:3]]
    query = _OF_SPANS[await connection.fetchval(_HAS_OVERRIDES, columns[0])]
    return list(await connection.fetch(query, *columns, timeout=TIMEOUT_S))


async def of_events(connection: Connection, spans: Sequence[Span], ids: Sequence[UUID]) -> list[asyncpg.Record]:
    """Return the sums of some events of spans, but for those that are annotated."""
    columns = [list(column) for column in list(zip(*spans, strict=True))[:3]]
    query = _OF_EVENTS[await connection.fetchval(_HAS_OVERRIDES, columns[0])]
    return list(await connection.fetch(query, *columns, ids, timeout=TIMEOUT_S))


async def of_marks(connection: Connection, spans: Sequence[Span]) -> list[asyncpg.Record]:
    """Return the sums of the events of spans that their transactions inserted."""
    columns = [list(column) for column in list(zip(*spans, strict=True))[:3]]
    marks = [(place, xid) for place, span in enumerate(spans, 1) for xid in span.xids]
    places, xids = map(list, zip(*marks, strict=True))
    query = _OF_MARKS[await connection.fetchval(_HAS_OVERRIDES, columns[0])]
    return list(await connection.fetch(query, *columns, places, xids, timeout=TIMEOUT_S))
