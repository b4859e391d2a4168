"""Sums up all tables, for a person to read."""

from typing import NamedTuple

from ingest.store.connections import Connection


class Totals(NamedTuple):
    events: int
    cost_nanousd: int
    savings_nanousd: int
    text_columns: int


_TOTALS = """
SELECT count(*) AS events, coalesce(sum(cost_nanousd) FILTER (WHERE cost_nanousd >= 0), 0)::bigint AS cost_nanousd,
    coalesce(sum(baseline_cost_nanousd - cost_nanousd)
        FILTER (WHERE baseline_cost_nanousd >= 0 AND cost_nanousd >= 0), 0)::bigint AS savings_nanousd
FROM events
"""
_TEXT_COLUMNS = """
SELECT count(*) FROM information_schema.columns
WHERE table_schema = 'nocontent' AND (table_name = 'events' OR table_name LIKE 'events\\_%')
    AND udt_name NOT IN ('timestamptz', 'uuid', 'int2', 'int4', 'int8', 'bool')
"""


async def totals(connection: Connection) -> Totals:
    """Count and sum all events, and count the columns of `events` and its partitions that are not of fixed width."""
    (row,) = await connection.fetch(_TOTALS)
    return Totals(row["events"], row["cost_nanousd"], row["savings_nanousd"], await connection.fetchval(_TEXT_COLUMNS))
