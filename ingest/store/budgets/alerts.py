"""Which thresholds of budgets were crossed in which periods: a row each, for ever, so that an alert is sent once."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from ingest.store.budgets.budgets import Budget
from ingest.store.connections import Connection

FORECAST = 0  # The threshold that stands for it.


class Alert(NamedTuple):
    """A threshold that was crossed; of the forecast, `spend_nanousd` is what was expected."""

    budget_id: UUID
    period_start: date
    threshold: int
    spend_nanousd: int
    crossed_at: datetime
    uncrossed_at: datetime | None
    is_announced: bool

    @property
    def is_crossed(self) -> bool:
        return self.uncrossed_at is None


_COLUMNS = "budget_id, period_start, threshold, spend_nanousd, crossed_at, uncrossed_at, is_announced"
_SINCE = f"""
SELECT {_COLUMNS} FROM nocontent.budget_alerts
WHERE tenant_id = $1 AND budget_id = $2 AND period_start >= $3 ORDER BY period_start, threshold
"""  # noqa: S608 (our own names)
_NEWEST = f"""
SELECT {_COLUMNS} FROM nocontent.budget_alerts WHERE tenant_id = $1 AND budget_id = $2
ORDER BY period_start DESC, threshold DESC LIMIT $3
"""  # noqa: S608 (as above)
_ADD = """
INSERT INTO nocontent.budget_alerts (
    tenant_id, budget_id, period_start, threshold, spend_nanousd, crossed_at, is_announced
)
SELECT $1, $2, $3, threshold, $5, $6, threshold IS NOT DISTINCT FROM $7
FROM unnest($4::smallint[]) AS crossed (threshold)
ON CONFLICT DO NOTHING RETURNING threshold
"""
_SET = """
UPDATE nocontent.budget_alerts SET uncrossed_at = $5
WHERE tenant_id = $1 AND budget_id = $2 AND period_start = $3 AND threshold = ANY ($4::smallint[])
"""


class Crossing(NamedTuple):
    """Thresholds of a period that are crossed for the first time, and the one that is announced, if any."""

    period_start: date
    thresholds: Sequence[int]
    spend_nanousd: int
    at: datetime
    announced: int | None


async def since(connection: Connection, budget: Budget, first: date) -> list[Alert]:
    """Return the alerts of a budget's periods from one on."""
    rows = await connection.fetch(_SINCE, budget.tenant_id, budget.budget_id, first)
    return [Alert(*row) for row in rows]


async def newest(connection: Connection, tenant_id: int, budget_id: UUID, count: int) -> list[Alert]:
    """Return the newest alerts of a budget, those of the last period first."""
    return [Alert(*row) for row in await connection.fetch(_NEWEST, tenant_id, budget_id, count)]


async def add(connection: Connection, budget: Budget, crossing: Crossing) -> set[int]:
    """Record thresholds as crossed; return those that nobody had recorded."""
    rows = await connection.fetch(
        _ADD, budget.tenant_id, budget.budget_id, crossing.period_start, list(crossing.thresholds),
        crossing.spend_nanousd, crossing.at, crossing.announced,
    )  # fmt: skip
    return {row["threshold"] for row in rows}


async def set_uncrossed(
    connection: Connection, budget: Budget, period_start: date, thresholds: Sequence[int], at: datetime | None
) -> None:
    """Note that thresholds are no longer crossed since a time, or, with None, that they are again."""
    await connection.execute(_SET, budget.tenant_id, budget.budget_id, period_start, list(thresholds), at)
