"""The rollups compared with sums of the rows that other SQL makes, over every grain and dimension."""

from collections.abc import Sequence
from typing import NamedTuple

from ingest.store.connections import Connection

_MODEL = ("provider", "requested_model", "routed_model", "status")
_ALL = (*_MODEL, "task_category", "tag_1", "tag_2", "tag_3", "tag_4")
_MEASURES = (
    "events", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens",
    "reasoning_tokens", "reported_cost_nanousd", "reported_cost_events", "streamed", "cached", "fallback", "retried",
    "escalated", "latencies",
)  # fmt: skip


class Grain(NamedTuple):
    """The time and the dimensions of a grain."""

    number: int
    at: str
    dimensions: Sequence[str]


_QUARTER = "date_bin('15 minutes', occurred_at, '2000-01-01Z')"
_HOUR, _DAY = "date_trunc('hour', occurred_at, 'UTC')", "date_trunc('day', occurred_at, 'UTC')"
GRAINS = (Grain(1, _QUARTER, ()), Grain(2, _HOUR, _MODEL), Grain(3, _DAY, _MODEL), Grain(4, _HOUR, _ALL),
          Grain(5, _DAY, _ALL))  # fmt: skip
# What an event counts by itself. What depends on the price book has tests of its own.
_EVENTS = """
SELECT *, (outcome >> 5) & 7 AS status, 1 AS events, greatest(cost_nanousd, 0) AS reported_cost_nanousd,
    (cost_nanousd >= 0)::integer AS reported_cost_events, outcome & 1 AS streamed, (outcome >> 1) & 1 AS cached,
    (outcome >> 2) & 1 AS fallback, (outcome >> 3) & 1 AS retried, (outcome >> 4) & 1 AS escalated,
    (latency_ms >= 0)::integer AS latencies
FROM events
"""
_USAGE = """
SELECT *, (SELECT coalesce(sum(count), 0) FROM unnest(latency_counts) AS histogram (count)) AS latencies FROM usage
"""
_DIFFERING = """
WITH fresh AS (SELECT {keys}, {sums} FROM ({events}) AS event GROUP BY {key_count}),
    rolled AS (SELECT tenant_id, at, {dimensions}, {measures} FROM ({usage}) AS usage WHERE grain = {grain})
SELECT count(*) FROM (
    (SELECT * FROM fresh EXCEPT ALL SELECT * FROM rolled)
    UNION ALL
    (SELECT * FROM rolled EXCEPT ALL SELECT * FROM fresh)
) AS differing
"""


async def differing(connection: Connection) -> int:
    """Return how many sums of the rollups are not those of the rows, and marks that are left."""
    found = int(await connection.fetchval("SELECT count(*) FROM usage_marks"))
    for grain in GRAINS:
        found += int(await connection.fetchval(_statement(grain), timeout=120))
    return found


async def summed(connection: Connection) -> int:
    """Return how many events are in the rollups."""
    return int(await connection.fetchval("SELECT coalesce(sum(events), 0) FROM usage WHERE grain = 1"))


def _statement(grain: Grain) -> str:
    kept = [name if name in grain.dimensions else "-1" for name in _ALL]
    return _DIFFERING.format(
        keys=", ".join(["tenant_id", grain.at, *kept]),
        key_count=", ".join(str(place) for place, name in enumerate(["tenant", "at", *kept], 1) if name != "-1"),
        sums=", ".join(f"sum({name})" for name in _MEASURES),
        dimensions=", ".join(_ALL),
        measures=", ".join(_MEASURES),
        grain=grain.number,
        events=_EVENTS,
        usage=_USAGE,
    )
