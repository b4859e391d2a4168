"""The three questions of docs/performance.md, in SQL: of the analysts' view, the table below it, and the rollups."""

from collections.abc import Mapping
from typing import NamedTuple


class Question(NamedTuple):
    """A question, the time that it looks back, and how each source answers it for a tenant."""

    says: str
    since: str  # An interval.
    grain: int  # Of the rollups that answer it.
    sources: Mapping[str, str]


# The difference between the view and the table is the price of names for ids.
_VIEW = {"events": "nocontent.readable_events", "model": "routed_model", "savings": "savings_nanousd"}
_TABLE = {
    "events": "nocontent.events",
    "model": "routed_model",
    "savings": "NULLIF(baseline_cost_nanousd, -1) - cost_nanousd",
}
_COST_BY_MODEL = """
SELECT {model} AS model, count(*) AS events, sum(cost_nanousd) AS cost_nanousd
FROM {events}
WHERE tenant_id = {{tenant}} AND occurred_at >= now() - interval '24 hours'
GROUP BY 1 ORDER BY 3 DESC
"""
_COST_BY_MODEL_ROLLED = """
SELECT routed_model AS model, sum(events) AS events, sum(reported_cost_nanousd + computed_cost_nanousd) AS cost_nanousd
FROM nocontent.usage
WHERE tenant_id = {tenant} AND grain = 2 AND at >= date_trunc('hour', now() - interval '24 hours', 'UTC')
GROUP BY 1 ORDER BY 3 DESC
"""
_SAVINGS_BY_DAY = """
SELECT date_trunc('day', occurred_at, 'UTC') AS day, sum({savings}) AS savings_nanousd
FROM {events}
WHERE tenant_id = {{tenant}} AND occurred_at >= now() - interval '30 days'
GROUP BY 1 ORDER BY 1
"""
# Of quarters of an hour, which have no other dimension: 96 rows a day, however many models there are.
_SAVINGS_BY_DAY_ROLLED = """
SELECT date_trunc('day', at, 'UTC') AS day, sum(savings_reported_nanousd + savings_priced_nanousd) AS savings_nanousd
FROM nocontent.usage
WHERE tenant_id = {tenant} AND grain = 1 AND at >= date_trunc('day', now() - interval '30 days', 'UTC')
GROUP BY 1 ORDER BY 1
"""
_LATENCY_BY_MODEL = """
SELECT {model} AS model, percentile_cont(0.95) WITHIN GROUP (ORDER BY latency_ms) AS p95_ms
FROM {events}
WHERE tenant_id = {{tenant}} AND occurred_at >= now() - interval '7 days'
GROUP BY 1 ORDER BY 2 DESC
"""
# Histograms of days are merged; the middle of a bin is within 4.8 % of every value in it.
_LATENCY_BY_MODEL_ROLLED = """
WITH bins AS (
    SELECT routed_model AS model, unnest(latency_bins) AS bin, unnest(latency_counts) AS count
    FROM nocontent.usage
    WHERE tenant_id = {tenant} AND grain = 3 AND at >= date_trunc('day', now() - interval '7 days', 'UTC')
), summed AS (
    SELECT model, bin, sum(sum(count)) OVER (PARTITION BY model ORDER BY bin) AS up_to,
        sum(sum(count)) OVER (PARTITION BY model) AS all_of_it
    FROM bins GROUP BY model, bin
)
SELECT model, 2 * power(1.1, min(bin)) / 2.1 AS p95_ms
FROM summed WHERE up_to >= 0.95 * all_of_it
GROUP BY model ORDER BY 2 DESC
"""


def _question(says: str, since: str, grain: int, of_events: str, of_rollups: str) -> Question:
    sources = {"view": of_events.format(**_VIEW), "table": of_events.format(**_TABLE), "rollup": of_rollups}
    return Question(says, since, grain, sources)


QUESTIONS = (
    _question("cost by model, 24 h", "24 hours", 2, _COST_BY_MODEL, _COST_BY_MODEL_ROLLED),
    _question("savings by day, 30 days", "30 days", 1, _SAVINGS_BY_DAY, _SAVINGS_BY_DAY_ROLLED),
    _question("p95 latency by model, 7 days", "7 days", 3, _LATENCY_BY_MODEL, _LATENCY_BY_MODEL_ROLLED),
)
