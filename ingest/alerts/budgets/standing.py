"""Where budgets stand: what was spent against each in the period in progress, and what it is expected to come to."""

from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from ingest.alerts.budgets import crossing, forecast, periods
from ingest.alerts.budgets.periods import Period
from ingest.store import connections
from ingest.store.budgets import budgets, names, spend
from ingest.store.budgets.budgets import Budget
from ingest.store.connections import Connection

NEAR, OVER = 80, 100  # Percent of the limit.
State = Literal["within", "near", "over"]


class Spent(NamedTuple):
    """The spend of a period as of a time."""

    period: Period
    nanousd: int
    at: datetime


class Standing(NamedTuple):
    """A budget, the word that it is about, and the spend of its period in progress."""

    budget: Budget
    name: str | None
    spent: Spent

    @property
    def ratio(self) -> float:
        return self.spent.nanousd / self.budget.spec.limit_nanousd

    @property
    def state(self) -> State:
        limit = self.budget.spec.limit_nanousd
        if crossing.is_at(self.spent.nanousd, OVER, limit):
            return "over"
        return "near" if crossing.is_at(self.spent.nanousd, NEAR, limit) else "within"


async def read_all(connection: Connection, tenant_id: int) -> list[Standing]:
    """Return the budgets of a tenant that have not ended, the fullest first."""
    found = [budget for budget in await budgets.list_all(connection, tenant_id) if budget.ended_at is None]
    words = await names.read(connection, tenant_id, found)
    standings = [Standing(each, names.of(each, words), await spent(connection, each)) for each in found]
    return sorted(standings, key=lambda each: -each.ratio)


async def spent(connection: Connection, budget: Budget) -> Spent:
    """Return what was spent in the period in progress."""
    now = await connections.now(connection)
    present = periods.containing(now, budget.spec.period, budget.spec.time_zone)
    return Spent(present, await spend.between(connection, budget, present.since, present.before), now)


async def expected(connection: Connection, budget: Budget, known: Spent) -> int | None:
    """Return the spend to expect at the end of the period, unless it is not asked for or the limit is reached."""
    if not budget.spec.has_forecast or known.nanousd >= budget.spec.limit_nanousd:
        return None
    zone = budget.spec.time_zone
    days = forecast.history_days(known.at, zone)
    starts = [periods.midnight(day, zone) for day in days]
    today = periods.midnight(days[-1] + timedelta(days=1), zone)
    history = dict(zip(days, await spend.by_day(connection, budget, starts, today), strict=True))
    return forecast.expected(known.nanousd, known.period, known.at, zone, history)
