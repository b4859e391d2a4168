"""Evaluates one budget in one transaction: what it finds for the first time is recorded and announced together."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from ingest.alerts.budgets import announcing, crossing, periods, standing
from ingest.alerts.budgets.announcing import Announcement
from ingest.alerts.budgets.periods import Period
from ingest.store.budgets import alerts, budgets, spend
from ingest.store.budgets.alerts import FORECAST, Alert, Crossing
from ingest.store.budgets.budgets import Budget
from ingest.store.connections import Connection

REVIEW = timedelta(minutes=5)  # Between two reviews, which look at forecasts and at past periods.
JUST_OVER = timedelta(minutes=10)  # So long a period that has ended is evaluated as often as the present one.
LATE = timedelta(hours=24)  # After the end of a period; what is crossed later is recorded and not announced.
_PAST_DAYS = timedelta(days=62)  # Periods that began before are not corrected any more.


class Announced(NamedTuple):
    """How many alerts an evaluation announced."""

    thresholds: int = 0
    forecasts: int = 0


class _Look(NamedTuple):
    """A period to evaluate, and whether what is new is announced."""

    period: Period
    is_announced: bool


async def evaluate(connection: Connection, tenant_id: int, budget_id: UUID, now: datetime) -> Announced:
    """Compare a budget with what was spent as of a time; do nothing if somebody else is doing that."""
    async with connection.transaction():
        budget = await budgets.lock(connection, tenant_id, budget_id)
        if budget is None:
            return Announced()
        present = periods.containing(now, budget.spec.period, budget.spec.time_zone)
        known = await alerts.since(connection, budget, now.date() - _PAST_DAYS)
        is_review = budget.reviewed_at is None or not timedelta() <= now - budget.reviewed_at < REVIEW
        spent, announced = 0, 0
        for look in _looks(budget, present, now, known if is_review else None):
            found = await spend.between(connection, budget, look.period.since, look.period.before)
            announced += await _cross(connection, budget, look, _Found(found, now, _of(known, look.period.start)))
            spent = found if look.period == present else spent
        if not is_review:
            return Announced(announced)
        forecasts = await _review(connection, budget, present, _Found(spent, now, _of(known, present.start)))
        return Announced(announced, forecasts)


class _Found(NamedTuple):
    """The spend of a period as of a time, and its alerts by threshold."""

    spent: int
    at: datetime
    known: dict[int, Alert]

    @property
    def crossed(self) -> dict[int, bool]:
        return {threshold: alert.is_crossed for threshold, alert in self.known.items()}


def _of(known: Sequence[Alert], start: date) -> dict[int, Alert]:
    return {alert.threshold: alert for alert in known if alert.period_start == start}


def _looks(budget: Budget, present: Period, now: datetime, reviewed: Sequence[Alert] | None) -> Iterator[_Look]:
    """Yield the present period, the one before while it may change, and, in a review, those of its alerts."""
    yield _Look(present, is_announced=True)
    before = periods.previous(present, budget.spec.period, budget.spec.time_zone)
    if before.before > budget.created_at and (reviewed is not None or now - before.before < JUST_OVER):
        yield _Look(before, is_announced=now - before.before <= LATE)
    for start in sorted({alert.period_start for alert in reviewed or ()} - {present.start, before.start}):
        yield _Look(periods.of(start, budget.spec.period, budget.spec.time_zone), is_announced=False)


async def _cross(connection: Connection, budget: Budget, look: _Look, found: _Found) -> int:
    """Record what the spend of a period changes, and announce the highest new threshold; return how many were."""
    start = look.period.start
    changed = crossing.changes(budget.spec.limit_nanousd, budget.spec.thresholds, found.spent, found.crossed)
    # A sum that shrank because its own time was over takes nothing back.
    if changed.no_longer and look.period.since >= await spend.kept_since(connection):
        await alerts.set_uncrossed(connection, budget, start, changed.no_longer, found.at)
        for threshold in changed.no_longer:
            if found.known[threshold].is_announced:
                await announcing.take_back(connection, budget, Announcement(start, threshold, found.spent))
    if changed.again:
        await alerts.set_uncrossed(connection, budget, start, changed.again, None)
    if not changed.fresh:
        return 0
    announced = changed.announced if look.is_announced else None
    made = await alerts.add(connection, budget, Crossing(start, changed.fresh, found.spent, found.at, announced))
    if announced is None or announced not in made:
        return 0
    await announcing.announce(connection, budget, Announcement(start, announced, found.spent))
    return 1


async def _review(connection: Connection, budget: Budget, present: Period, found: _Found) -> int:
    """Compare the forecast with the limit, and note the review; return how many forecasts were announced."""
    changed = crossing.Forecast(is_over=False)
    expected = await standing.expected(connection, budget, standing.Spent(present, found.spent, found.at))
    if expected is not None:
        was_over = budget.is_forecast_over and budget.reviewed_at is not None and budget.reviewed_at >= present.since
        changed = crossing.forecast(
            budget.spec.limit_nanousd, expected, was_over=was_over, known=found.crossed.get(FORECAST)
        )
    await budgets.note_review(connection, budget, found.at, is_forecast_over=changed.is_over)
    if changed.no_longer or changed.again:
        at = found.at if changed.no_longer else None
        await alerts.set_uncrossed(connection, budget, present.start, (FORECAST,), at)
    if not changed.fires or expected is None:
        return 0
    made = await alerts.add(connection, budget, Crossing(present.start, (FORECAST,), expected, found.at, FORECAST))
    if FORECAST not in made:
        return 0
    await announcing.announce(connection, budget, Announcement(present.start, FORECAST, expected))
    return 1
