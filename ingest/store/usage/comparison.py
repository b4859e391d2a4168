"""Compares rollups with the rows they stand for, a few closed hours at a time, by turns."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from ingest.store.connections import Connection

HOUR = timedelta(hours=1)
CLOSED_AFTER = timedelta(hours=2)  # Hardly a row comes later, and none is pending.
TIMEOUT_S = 60.0  # For one hour of a large tenant.
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Place(NamedTuple):
    """An hour of a tenant, in the rotation."""

    tenant_id: int
    hour: datetime


class Prices(NamedTuple):
    """How reported costs agree with the price book, over today and yesterday."""

    mismatch_ppm: int  # By value, of what could be checked.
    unpriced_events: int


# An hour with rows and no rollup is found as well as one with a rollup and no rows. Days before the horizon are frozen,
# and so is a day that was dropped and made again when retention was lengthened, or that the tenant's own retention
# deleted: their rows are gone.
_NEXT_HOUR = """
SELECT min(hour) FROM (
    (SELECT at AS hour FROM nocontent.usage
    WHERE tenant_id = $1 AND grain = 2 AND at >= $2 AND at < $3 ORDER BY at LIMIT 1)
    UNION ALL
    (SELECT date_trunc('hour', occurred_at, 'UTC') FROM nocontent.events
    WHERE tenant_id = $1 AND occurred_at >= $2 AND occurred_at < $3 ORDER BY occurred_at LIMIT 1)
) AS known
"""
_FIRST_KEPT = """
SELECT greatest(
    horizon, usage_frozen_before, (SELECT usage_frozen_before FROM nocontent.tenants WHERE tenant_id = $1)
)::timestamp AT TIME ZONE 'UTC'
FROM nocontent.retention WHERE retention_id = 1
"""
_NEXT_TENANT = "SELECT min(tenant_id) FROM nocontent.tenants WHERE tenant_id > $1"
_LAST = "SELECT date_trunc('hour', now() - $1::interval, 'UTC')"
# One statement, so one snapshot: rows and their marks come and go together. Every grain of hours or less has to agree.
_COMPARE = """
WITH stored AS (
    SELECT count(*) AS events, coalesce(sum(input_tokens), 0) AS input_tokens,
        coalesce(sum(output_tokens), 0) AS output_tokens, coalesce(sum(NULLIF(cost_nanousd, -1)), 0) AS cost
    FROM nocontent.events event
    WHERE tenant_id = $1 AND occurred_at >= $2 AND occurred_at < $2 + interval '1 hour' AND NOT EXISTS (
        SELECT FROM nocontent.annotations annotation
        WHERE annotation.tenant_id = $1 AND annotation.occurred_at = event.occurred_at
            AND annotation.event_id = event.event_id
    )
), rolled AS (
    SELECT grain, sum(events) AS events, sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens,
        sum(reported_cost_nanousd) AS cost
    FROM nocontent.usage WHERE tenant_id = $1 AND grain IN (1, 2, 4) AND at >= $2 AND at < $2 + interval '1 hour'
    GROUP BY grain
)
SELECT
    EXISTS (
        SELECT FROM nocontent.usage_marks
        WHERE tenant_id = $1 AND last >= $2 AND first < $2 + interval '1 hour'
    ) AS is_pending,
    bool_and(
        (stored.events, stored.input_tokens, stored.output_tokens, stored.cost) = (
            coalesce(rolled.events, 0), coalesce(rolled.input_tokens, 0), coalesce(rolled.output_tokens, 0),
            coalesce(rolled.cost, 0)
        )
    ) AS agrees
FROM stored CROSS JOIN (VALUES (1), (2), (4)) AS wanted (grain) LEFT JOIN rolled ON rolled.grain = wanted.grain
"""
_TENANTS = "SELECT coalesce(array_agg(tenant_id), '{}') FROM nocontent.tenants"
# Over- and undercharging do not cancel out between models. The index is by tenant, so all of them are named.
_PRICES = """
SELECT
    coalesce(1e6 * sum(abs(mismatch_nanousd)) / NULLIF(sum(checked_list_cost_nanousd), 0), 0)::bigint AS mismatch_ppm,
    coalesce(sum(unpriced_events), 0)::bigint AS unpriced_events
FROM nocontent.usage
WHERE tenant_id = ANY($1) AND grain = 3 AND at >= date_trunc('day', now() - interval '1 day', 'UTC')
"""


async def next_place(connection: Connection, after: Place) -> Place | None:
    """Return the next closed hour with rows or a rollup, or None at the end of the rotation."""
    last = await connection.fetchval(_LAST, CLOSED_AFTER)
    tenant_id: int | None = after.tenant_id
    since = after.hour + HOUR
    while tenant_id is not None:
        first = await connection.fetchval(_FIRST_KEPT, tenant_id) or _EPOCH
        hour = await connection.fetchval(_NEXT_HOUR, tenant_id, max(first, since), last)
        if hour is not None:
            return Place(tenant_id, hour)
        tenant_id, since = await connection.fetchval(_NEXT_TENANT, tenant_id), _EPOCH
    return None


async def agrees(connection: Connection, place: Place) -> bool | None:
    """Return whether an hour's rollups equal the sums of its rows, or None while some of these are pending."""
    row = await connection.fetchrow(_COMPARE, *place, timeout=TIMEOUT_S)
    assert row is not None
    return None if row["is_pending"] else bool(row["agrees"])


async def prices(connection: Connection) -> Prices:
    """Compare reported costs with the price book."""
    row = await connection.fetchrow(_PRICES, await connection.fetchval(_TENANTS), timeout=TIMEOUT_S)
    assert row is not None
    return Prices(row["mismatch_ppm"], row["unpriced_events"])
