"""Sums of usage as a roll-up leaves them, set to what a test needs; and the letters that were put."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from ingest.store.budgets.budgets import PeriodKind, Scope, Spec
from ingest.store.connections import Connection
from ingest.store.usage.columns import ARRAYS, DIMENSIONS, NONE, SUMS, Grain

DOLLAR = 1_000_000_000
_COLUMNS = ("tenant_id", "grain", "at", *DIMENSIONS, *SUMS, *ARRAYS)
_SET = f"""
INSERT INTO usage ({", ".join(_COLUMNS)})
SELECT $1, $2, date_bin('15 minutes', $3::timestamptz, '2000-01-01Z'), {", ".join([str(NONE)] * len(DIMENSIONS))},
    {", ".join("$4::bigint" if name == "reported_cost_nanousd" else "0" for name in SUMS)},
    {", ".join(["'{}'"] * len(ARRAYS))}
ON CONFLICT (tenant_id, grain, at, {", ".join(DIMENSIONS)}) DO UPDATE
    SET reported_cost_nanousd = excluded.reported_cost_nanousd
"""
_LETTERS = """
SELECT DISTINCT ids[1] AS budget_id, numbers[1]::integer AS threshold, numbers[2] AS spent,
    '1970-01-01'::date + numbers[4]::integer AS period_start, count(*) OVER (PARTITION BY cause)::integer AS people
FROM outbox WHERE kind = 'budget-alert' ORDER BY period_start, threshold
"""
_PERIODS: Mapping[str, PeriodKind] = {"day": PeriodKind.DAY, "week": PeriodKind.WEEK, "month": PeriodKind.MONTH}


class Announced(NamedTuple):
    """An alert as its letters say it, and how many people it goes to."""

    budget_id: UUID
    threshold: int
    spent: int
    period_start: object
    people: int


async def set_spend(owner: Connection, tenant_id: int, at: datetime, nanousd: int) -> None:
    """Set what a quarter of an hour cost a tenant."""
    await owner.execute(_SET, tenant_id, Grain.QUARTER, at, nanousd)


async def letters(owner: Connection) -> list[Announced]:
    """Return the alerts of which there are letters."""
    return [Announced(*row) for row in await owner.fetch(_LETTERS)]


def spec(limit: int, period: str = "day", zone: str = "UTC", *thresholds: int, has_forecast: bool = False) -> Spec:
    """Return a budget of a whole tenant; without thresholds, the usual ones."""
    return Spec(Scope.TENANT, None, _PERIODS[period], zone, limit, thresholds or (50, 80, 100), has_forecast)
