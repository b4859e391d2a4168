"""Reads what a tenant's documents are computed from: its plans, the sums of its usage, and what was billed."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from itertools import groupby

import asyncpg

from ingest.knowledge.billing import Account, Billed, LineKind, Period, Quarter
from ingest.store.billing import plans
from ingest.store.connections import Connection

_GRAIN = 1  # Quarters of an hour, of all dimensions together.
_NOW = "SELECT now()"
_INVOICED = """
SELECT month, period_start AS start, period_end AS end, time_zone FROM nocontent.invoices
WHERE tenant_id = $1 AND kind = 1 ORDER BY month
"""
# What a waived credit note took back stays billed, so that it is not billed again.
_BILLED = """
SELECT line.month, line.period_start AS start, line.period_end AS end, min(line.plan_id) AS plan_id,
    min(line.plan_version) AS plan_version, min(document.time_zone) AS time_zone, line.kind,
    sum(line.quantity)::bigint AS quantity, sum(line.cents)::bigint AS cents
FROM nocontent.invoice_lines line JOIN nocontent.invoices document USING (tenant_id, issuer, number)
WHERE line.tenant_id = $1 AND document.tenant_id = $1 AND line.month >= $2 AND NOT document.waived
GROUP BY line.month, line.period_start, line.period_end, line.kind ORDER BY line.month, line.kind
"""
_QUARTERS = """
SELECT at, events, savings_reported_nanousd, savings_priced_nanousd FROM nocontent.usage
WHERE tenant_id = $1 AND grain = $2 AND at >= $3 AND at < $4 ORDER BY at
"""
# A place is the number of borders up to a time: odd within a period. One table and one tenant, so one node of Citus.
_SUMS = """
SELECT width_bucket(at, $3::timestamptz[]) AS place, sum(events)::bigint AS events,
    sum(savings_reported_nanousd + savings_priced_nanousd)::bigint AS savings_nanousd
FROM nocontent.usage WHERE tenant_id = $1 AND grain = $2 AND at >= $4 AND at < $5 GROUP BY place
"""
# Older sums may have been deleted: see trim_usage in migration 0020.
_KEPT_SINCE = """
SELECT (horizon - greatest(usage_days - retention_days, 0))::timestamp AT TIME ZONE 'UTC' FROM nocontent.retention
WHERE retention_id = 1 AND usage_days IS NOT NULL
"""
# The invoices of months before that may have been deleted: see trim_invoices in migration 0027.
_INVOICED_SINCE = """
SELECT invoices_deleted_before::timestamp AT TIME ZONE 'UTC' FROM nocontent.retention WHERE retention_id = 1
"""
_PENDING = """
SELECT EXISTS (SELECT FROM nocontent.usage_marks WHERE tenant_id = $1 AND first < $3 AND last >= $2)
"""


async def now(connection: Connection) -> datetime:
    """Return PostgreSQL's time, which decides when a period has ended."""
    found = await connection.fetchval(_NOW)
    assert isinstance(found, datetime)
    return found


async def read(connection: Connection, tenant_id: int, since: date) -> Account:
    """Return a tenant's account; of what was billed, the months from `since` on."""
    invoiced = [Period(**dict(row)) for row in await connection.fetch(_INVOICED, tenant_id)]
    return Account(
        tenant_id=tenant_id,
        subscriptions=await plans.subscriptions(connection, tenant_id),
        plans=await plans.read_all(connection),
        billed=await _billed(connection, tenant_id, since),
        invoiced={period.month: period for period in invoiced},
    )


async def _billed(connection: Connection, tenant_id: int, since: date) -> tuple[Billed, ...]:
    rows = await connection.fetch(_BILLED, tenant_id, since)
    return tuple(_month(list(group)) for _, group in groupby(rows, key=lambda row: row["month"]))


def _month(rows: list[asyncpg.Record]) -> Billed:
    first = rows[0]
    return Billed(
        period=Period(month=first["month"], start=first["start"], end=first["end"], time_zone=first["time_zone"]),
        plan_id=first["plan_id"],
        plan_version=first["plan_version"],
        quantities={LineKind(row["kind"]): row["quantity"] for row in rows},
        cents={LineKind(row["kind"]): row["cents"] for row in rows},
    )


async def quarters(connection: Connection, tenant_id: int, period: Period) -> list[Quarter]:
    """Return the sums of a period, by quarter of an hour."""
    rows = await connection.fetch(_QUARTERS, tenant_id, _GRAIN, period.start, period.end)
    return [Quarter(*row.values()) for row in rows]


async def sums(connection: Connection, tenant_id: int, periods: Sequence[Period]) -> list[tuple[int, int]]:
    """Return the events and the nano-USD of savings of each period; periods are in order and do not overlap."""
    borders = [border for each in periods for border in (each.start, each.end)]
    if not borders:
        return []
    rows = await connection.fetch(_SUMS, tenant_id, _GRAIN, borders, borders[0], borders[-1])
    found = {row["place"]: (row["events"], row["savings_nanousd"]) for row in rows}
    return [found.get(2 * place + 1, (0, 0)) for place in range(len(periods))]


async def is_pending(connection: Connection, tenant_id: int, period: Period) -> bool:
    """Return whether events of a period are stored and not yet summed."""
    return bool(await connection.fetchval(_PENDING, tenant_id, period.start, period.end))


async def kept_since(connection: Connection) -> datetime:
    """Return the time before which sums of usage may have been deleted."""
    found = await connection.fetchval(_KEPT_SINCE)
    return datetime.min.replace(tzinfo=UTC) if found is None else found


async def invoiced_since(connection: Connection) -> datetime:
    """Return the time before which invoices may have been deleted, so that no month that ended before it is due."""
    found = await connection.fetchval(_INVOICED_SINCE)
    return datetime.min.replace(tzinfo=UTC) if found is None else found
