"""Sums events in SQL by quarter of an hour and all dimensions, with what they cost by the price book.

An event's rate is that of the tenant's override at its time, or else the book's, in the tier of its whole input. Each
event's price is rounded by itself, so sums do not depend on how events are grouped.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import asyncpg

from ingest.store.connections import Connection
from ingest.store.usage.columns import DIMENSIONS, FLAGS, SUMS, TAGS, TOKENS

EPOCH = "'2000-01-01T00:00:00Z'::timestamptz"


class Span(NamedTuple):
    """Events of a tenant from `first` to `last`; of these transactions only, if there are any."""

    tenant_id: int
    first: datetime
    last: datetime
    xids: tuple[int, ...] = ()


def _price(alias: str, owner: str, model: str) -> str:
    """Return a join; a hash of overrides leaves out the 20,000 rows of the book (tenant 0)."""
    return f"""
    LEFT JOIN price {alias}
        ON {alias}.tenant_id {owner} AND {alias}.provider = event.provider AND {alias}.model = event.{model}
        AND event.occurred_at >= {alias}.since AND event.occurred_at < {alias}.until
        AND event.whole_input > {alias}.input_tokens_above AND event.whole_input <= {alias}.input_tokens_up_to
        AND (({alias}.from_minute = 0 AND {alias}.before_minute = 1440) OR (
            floor(date_part('epoch', event.occurred_at) / 60)::bigint % 1440 >= {alias}.from_minute
            AND floor(date_part('epoch', event.occurred_at) / 60)::bigint % 1440 < {alias}.before_minute
        ))"""


_RATED = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "output")


def _nanousd(alias: str) -> str:
    lacks = " OR ".join(f"(event.{part}_tokens > 0 AND {alias}.{part}_picousd < 0)" for part in _RATED)
    sums = " + ".join(f"event.{part}_tokens * {alias}.{part}_picousd" for part in _RATED)
    return f"CASE WHEN {alias}.tenant_id IS NULL OR {lacks} THEN NULL ELSE ({sums} + 500) / 1000 END"


def _list_nanousd(own: str, book: str) -> str:
    return f"CASE WHEN {own}.tenant_id IS NOT NULL THEN {_nanousd(own)} ELSE {_nanousd(book)} END"


_KNOWN = "cost_nanousd >= 0"
_CHECKED = f"{_KNOWN} AND list_nanousd IS NOT NULL"
# Beyond 1 % of the list price and beyond 1,000 nano-USD.
_MISMATCHED = f"{_CHECKED} AND abs(cost_nanousd - list_nanousd) * 100 > greatest(list_nanousd, 100000)"
_BASELINE = "baseline_cost_nanousd >= 0 AND known_nanousd IS NOT NULL"
_PRICED = "baseline_cost_nanousd < 0 AND known_nanousd IS NOT NULL AND requested_nanousd IS NOT NULL"
_MEASURES = {
    "events": ("count(*)", ""),
    **{name: (f"sum({name})", "") for name in TOKENS},
    "reported_cost_nanousd": ("cost_nanousd", _KNOWN),
    "reported_cost_events": ("count(*)", _KNOWN),
    "computed_cost_nanousd": ("list_nanousd", "cost_nanousd < 0"),
    "computed_cost_events": ("count(*)", "cost_nanousd < 0 AND list_nanousd IS NOT NULL"),
    "unpriced_events": ("count(*)", "cost_nanousd < 0 AND list_nanousd IS NULL"),
    "checked_events": ("count(*)", _CHECKED),
    "checked_list_cost_nanousd": ("list_nanousd", _KNOWN),
    "mismatched_events": ("count(*)", _MISMATCHED),
    "mismatch_nanousd": ("cost_nanousd - list_nanousd", _MISMATCHED),
    "unchecked_events": ("count(*)", f"{_KNOWN} AND list_nanousd IS NULL"),
    "baseline_cost_nanousd": ("baseline_cost_nanousd", _BASELINE),
    "baseline_events": ("count(*)", _BASELINE),
    "savings_reported_nanousd": ("baseline_cost_nanousd - known_nanousd", _BASELINE),
    "savings_priced_events": ("count(*)", _PRICED),
    "savings_priced_nanousd": ("requested_nanousd - known_nanousd", _PRICED),
    **{name: ("count(*)", f"outcome & {1 << bit} <> 0") for bit, name in enumerate(FLAGS)},
}
assert tuple(_MEASURES) == SUMS


def _measure(name: str) -> str:
    summed, condition = _MEASURES[name]
    call = summed if summed.endswith(")") and summed.startswith(("count(", "sum(")) else f"nocontent.total({summed})"
    return f"{call}{f' FILTER (WHERE {condition})' if condition else ''} AS {name}"


def _bins(name: str) -> str:
    """Return the bins of all known times, each ceil(ln(ms) / ln(1.1)): `ingest.usage.histogram` has the same."""
    of = f"ceil(ln(greatest({name}_ms, 1)::float8) / ln(1.1::float8))::smallint"
    return f"coalesce(array_agg({of}) FILTER (WHERE {name}_ms >= 0), '{{}}') AS {name}_bins"


_EVENT = (
    "tenant_id", "occurred_at", "cost_nanousd", "baseline_cost_nanousd", *TOKENS, "latency_ms", "ttft_ms",
    "task_category", "provider", "requested_model", "routed_model", "outcome", *TAGS,
)  # fmt: skip


_OVERRIDE = "= event.tenant_id AND {}.tenant_id > 0"


def _query(match: str) -> str:
    """Return the query on spans.

    OFFSET 0 keeps the planner from scanning whole days instead of each span, or a span once for each of its marks, and
    from working out an event's price anew in each sum that it is part of. The planner takes the one element of JSON for
    a hundred, and so a span's rows for enough to hash the prices instead.
    """
    dimensions = ", ".join("outcome >> 5 & 7" if name == "status" else name for name in DIMENSIONS)
    return f"""
WITH span AS MATERIALIZED (
    SELECT tenant_id, first, last, place
    FROM unnest($1::integer[], $2::timestamptz[], $3::timestamptz[]) WITH ORDINALITY
        AS span (tenant_id, first, last, place)
    CROSS JOIN json_array_elements('[0]')
), price AS MATERIALIZED (
    SELECT * FROM nocontent.prices
    WHERE tenant_id = ANY(0 || $1::integer[])
        AND since <= (SELECT max(last) FROM span) AND until > (SELECT min(first) FROM span)
)
SELECT
    tenant_id, date_bin('15 minutes', occurred_at, {EPOCH}) AS at, {dimensions},
    {", ".join(_measure(name) for name in SUMS)},
    {_bins("latency")}, {_bins("ttft")}
FROM (
    SELECT {", ".join(f"event.{name}" for name in _EVENT)}, list_nanousd, requested_nanousd,
        CASE WHEN event.cost_nanousd >= 0 THEN event.cost_nanousd ELSE list_nanousd END AS known_nanousd
    FROM (
        SELECT {", ".join(f"event.{name}" for name in _EVENT)},
            {_list_nanousd("own_routed", "routed")} AS list_nanousd,
            {_list_nanousd("own_requested", "requested")} AS requested_nanousd
        FROM (
            SELECT {", ".join(f"event.{name}" for name in _EVENT)}, event.xmin, span.place,
                event.input_tokens + event.cache_read_tokens + event.cache_write_5m_tokens
                    + event.cache_write_1h_tokens AS whole_input
            FROM span CROSS JOIN LATERAL (
                SELECT {", ".join(_EVENT)}, xmin FROM nocontent.events
                WHERE tenant_id = span.tenant_id AND occurred_at BETWEEN span.first AND span.last
                OFFSET 0
            ) AS event
            OFFSET 0
        ) AS event{match}
        {_price("routed", "= 0", "routed_model")}
        {_price("own_routed", _OVERRIDE.format("own_routed"), "routed_model")}
        {_price("requested", "= 0", "requested_model")}
        {_price("own_requested", _OVERRIDE.format("own_requested"), "requested_model")}
        OFFSET 0
    ) AS event
) AS event
GROUP BY {", ".join(str(place) for place in range(1, 3 + len(DIMENSIONS)))}
"""  # noqa: S608 (the names are our own)


_OF_SPANS = _query("")
_OF_MARKS = _query(
    " JOIN unnest($4::bigint[], $5::xid[]) AS mark (place, xid) ON mark.place = event.place AND mark.xid = event.xmin"
)
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
    """Return the sums of all events of spans."""
    columns = [list(column) for column in list(zip(*spans, strict=True))[:3]]
    return list(await connection.fetch(_OF_SPANS, *columns, timeout=TIMEOUT_S))


async def of_marks(connection: Connection, spans: Sequence[Span]) -> list[asyncpg.Record]:
    """Return the sums of the events of spans that their transactions inserted."""
    columns = [list(column) for column in list(zip(*spans, strict=True))[:3]]
    marks = [(place, xid) for place, span in enumerate(spans, 1) for xid in span.xids]
    places, xids = map(list, zip(*marks, strict=True))
    return list(await connection.fetch(_OF_MARKS, *columns, places, xids, timeout=TIMEOUT_S))
