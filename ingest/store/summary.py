"""Sums up all tables, and a tenant's usage, for a person to read."""

from datetime import datetime
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


class Usage(NamedTuple):
    """A tenant's sums of all time, from the rollups."""

    events: int
    baseline_events: int
    savings_reported_nanousd: int
    savings_priced_nanousd: int
    matched_events: int
    mismatched_events: int
    mismatch_nanousd: int
    unchecked_events: int


_USAGE = """
SELECT nocontent.total(events), nocontent.total(baseline_events), nocontent.total(savings_reported_nanousd),
    nocontent.total(savings_priced_nanousd), nocontent.total(checked_events - mismatched_events),
    nocontent.total(mismatched_events), nocontent.total(mismatch_nanousd), nocontent.total(unchecked_events)
FROM nocontent.usage WHERE tenant_id = $1 AND grain = 1
"""


async def usage(connection: Connection, tenant_id: int) -> Usage:
    """Sum a tenant's usage."""
    (row,) = await connection.fetch(_USAGE, tenant_id)
    return Usage(*row.values())


class RoutedEvent(NamedTuple):
    """An event of a gateway."""

    task_category: str
    requested_model: str
    routed_model: str
    input_tokens: int
    output_tokens: int
    cost_nanousd: int
    baseline_nanousd: int
    reason: str


_ROUTED = """
SELECT task_category, requested_model, routed_model, input_tokens, output_tokens,
    coalesce(cost_nanousd, 0) AS cost_nanousd, coalesce(baseline_cost_nanousd, 0) AS baseline_nanousd,
    tags ->> 'routing_reason' AS reason
FROM nocontent.readable_events
WHERE tenant_id = $1 AND occurred_at >= $2 AND tags ? 'routing_reason'
ORDER BY event_id
"""


async def routed(connection: Connection, tenant_id: int, since: datetime) -> list[RoutedEvent]:
    """Return a tenant's events that gateways reported, oldest first."""
    return [RoutedEvent(*row.values()) for row in await connection.fetch(_ROUTED, tenant_id, since)]
