"""Evaluating budgets in the database: what is announced, once, and what clocks, corrections and erasures change."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest

from ingest.alerts.budgets import evaluating, job
from ingest.jobs import runner
from ingest.store import connections
from ingest.store.budgets import alerts, budgets
from ingest.store.budgets.alerts import FORECAST, Alert
from ingest.store.budgets.budgets import Spec
from ingest.store.budgets.errors import TooManyBudgets
from ingest.store.webhooks import webhooks
from tests.alerts.budgets.conftest import Organisation
from tests.support.budgets import DOLLAR, Announced, letters, set_spend, spec

_NOON = datetime(2026, 3, 18, 12, tzinfo=UTC)  # A Wednesday, and later than any budget of these tests was added.
_LOST = (asyncpg.InterfaceError, asyncpg.ConnectionDoesNotExistError, ConnectionError)
_DAY = timedelta(days=1)
_EVALUATION = timedelta(seconds=30)


async def _add(known: Organisation, wanted: Spec) -> UUID:
    """Add a budget as if long ago."""
    made = await budgets.add(known.control, known.tenant_id, wanted)
    await known.owner.execute("UPDATE budgets SET created_at = '2026-01-01'")
    return made


async def _evaluate(known: Organisation, budget_id: UUID, at: datetime) -> int:
    announced = await evaluating.evaluate(known.mailer, known.tenant_id, budget_id, at)
    return announced.thresholds + announced.forecasts


async def _alerts(known: Organisation, budget_id: UUID) -> dict[tuple[date, int], Alert]:
    found = await alerts.newest(known.control, known.tenant_id, budget_id, 100)
    return {(alert.period_start, alert.threshold): alert for alert in found}


async def test_a_letter_for_each_person_in_charge_of_money_and_once(organisation: Organisation) -> None:
    budget = await _add(organisation, spec(100 * DOLLAR))
    await set_spend(organisation.owner, organisation.tenant_id, _NOON, 50 * DOLLAR - 1)
    assert await _evaluate(organisation, budget, _NOON) == 0
    await set_spend(organisation.owner, organisation.tenant_id, _NOON, 50 * DOLLAR)
    assert await _evaluate(organisation, budget, _NOON + _EVALUATION) == 1
    assert await _evaluate(organisation, budget, _NOON + 2 * _EVALUATION) == 0
    # The owner and billing; the analyst has no part in it.
    assert await letters(organisation.owner) == [Announced(budget, 50, 50 * DOLLAR, _NOON.date(), people=2)]


async def test_several_at_once_are_one_letter(organisation: Organisation) -> None:
    budget = await _add(organisation, spec(100 * DOLLAR))
    await set_spend(organisation.owner, organisation.tenant_id, _NOON, 250 * DOLLAR)
    assert await _evaluate(organisation, budget, _NOON) == 1
    assert [found.threshold for found in await letters(organisation.owner)] == [100]
    found = await _alerts(organisation, budget)
    assert {threshold: alert.is_announced for (_, threshold), alert in found.items()} == {
        50: False,
        80: False,
        100: True,
    }


async def test_evaluators_at_once_announce_once(organisation: Organisation) -> None:
    """And two of them are not two reviews, which would make a forecast fire."""
    budget = await _add(organisation, spec(100 * DOLLAR, has_forecast=True))
    await set_spend(organisation.owner, organisation.tenant_id, _NOON - 7 * _DAY, 500 * DOLLAR)
    await set_spend(organisation.owner, organisation.tenant_id, _NOON, 85 * DOLLAR)

    async def evaluate() -> int:
        async with connections.connected(organisation.dsn, "nocontent_mailer") as connection:
            done = await evaluating.evaluate(connection, organisation.tenant_id, budget, _NOON)
        return done.thresholds + done.forecasts

    assert sum(await asyncio.gather(*(evaluate() for _ in range(8)))) == 1
    assert len(await letters(organisation.owner)) == 1


async def test_a_crash_before_commit_leaves_nothing_and_the_next_announces(organisation: Organisation) -> None:
    budget = await _add(organisation, spec(100 * DOLLAR))
    await set_spend(organisation.owner, organisation.tenant_id, _NOON, 85 * DOLLAR)
    for statements in range(1, 30):  # Cut the connection before each statement in turn.
        left = statements
        connection = await connections.connect(organisation.dsn, "nocontent_mailer")

        def cut(_record: object) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                connection.terminate()  # noqa: B023 (it is called in this round alone)

        try:
            with connection.query_logger(cut):
                await evaluating.evaluate(connection, organisation.tenant_id, budget, _NOON)
        except _LOST:
            assert len(await letters(organisation.owner)) <= 1
        else:
            break
        finally:
            connection.terminate()
    assert statements > 5
    assert [found.threshold for found in await letters(organisation.owner)] == [80]


async def test_a_correction_takes_back_and_says_so_and_sends_nothing(organisation: Organisation) -> None:
    budget = await _add(organisation, spec(100 * DOLLAR))
    key = (_NOON.date(), 80)
    await set_spend(organisation.owner, organisation.tenant_id, _NOON, 85 * DOLLAR)
    await _evaluate(organisation, budget, _NOON)
    await set_spend(organisation.owner, organisation.tenant_id, _NOON, 60 * DOLLAR)
    corrected = _NOON + 3 * _DAY  # A late one, of a period that is long over.
    assert await _evaluate(organisation, budget, corrected) == 0
    found = await _alerts(organisation, budget)
    assert (found[key].uncrossed_at, found[key].spend_nanousd) == (corrected, 85 * DOLLAR)
    assert found[_NOON.date(), 50].uncrossed_at is None
    await set_spend(organisation.owner, organisation.tenant_id, _NOON, 90 * DOLLAR)
    assert await _evaluate(organisation, budget, corrected + evaluating.REVIEW) == 0
    assert (await _alerts(organisation, budget))[key].uncrossed_at is None
    assert len(await letters(organisation.owner)) == 1


async def test_an_erasure_takes_back(organisation: Organisation) -> None:
    budget = await _add(organisation, spec(100 * DOLLAR))
    await set_spend(organisation.owner, organisation.tenant_id, _NOON, 85 * DOLLAR)
    await _evaluate(organisation, budget, _NOON)
    await organisation.owner.execute("DELETE FROM usage")
    await _evaluate(organisation, budget, _NOON + _EVALUATION)
    assert all(alert.uncrossed_at for alert in (await _alerts(organisation, budget)).values())


async def test_a_webhook_gets_what_is_announced_and_what_is_taken_back_once_each(organisation: Organisation) -> None:
    hook = await webhooks.add(organisation.control, organisation.tenant_id, "https://hooks.example.com/budgets")
    budget = await _add(organisation, spec(100 * DOLLAR)._replace(webhook_id=hook))
    for turn, spent in enumerate((85, 40, 85, 40)):
        await set_spend(organisation.owner, organisation.tenant_id, _NOON, spent * DOLLAR)
        await _evaluate(organisation, budget, _NOON + turn * evaluating.REVIEW)
    rows = await organisation.owner.fetch("SELECT event, ids, numbers FROM webhook_deliveries ORDER BY event")
    days = (_NOON.date() - date(1970, 1, 1)).days
    assert [tuple(row) for row in rows] == [
        (1, [budget], [days, 80, 85 * DOLLAR, 100 * DOLLAR]), (2, [budget], [days, 80, 40 * DOLLAR, 100 * DOLLAR]),
    ]  # fmt: skip
    await webhooks.end(organisation.control, organisation.tenant_id, hook)
    await set_spend(organisation.owner, organisation.tenant_id, _NOON, 100 * DOLLAR)
    assert await _evaluate(organisation, budget, _NOON + 5 * evaluating.REVIEW) == 1  # By mail alone.
    assert await organisation.owner.fetchval("SELECT count(*) FROM webhook_deliveries") == 2


async def test_sums_that_retention_deleted_take_nothing_back(organisation: Organisation) -> None:
    budget = await _add(organisation, spec(100 * DOLLAR))
    await set_spend(organisation.owner, organisation.tenant_id, _NOON, 85 * DOLLAR)
    await _evaluate(organisation, budget, _NOON)
    await organisation.owner.execute("UPDATE retention SET usage_days = retention_days")
    for horizon, is_whole in ((_NOON + _DAY, False), (_NOON, True)):
        await organisation.owner.execute("UPDATE retention SET horizon = $1", horizon.date())
        await organisation.owner.execute("DELETE FROM usage")
        await _evaluate(organisation, budget, _NOON + 5 * _DAY if is_whole else _NOON + 2 * _DAY)
        found = await _alerts(organisation, budget)
        assert found[_NOON.date(), 80].is_crossed is not is_whole


async def test_the_last_minute_of_a_period_counts_and_what_comes_days_later_is_only_shown(
    organisation: Organisation,
) -> None:
    budget = await _add(organisation, spec(100 * DOLLAR, "day", "Europe/Berlin"))
    midnight = datetime(2026, 3, 18, 23, tzinfo=UTC)
    await set_spend(organisation.owner, organisation.tenant_id, midnight - timedelta(minutes=1), 85 * DOLLAR)
    assert await _evaluate(organisation, budget, midnight + _EVALUATION) == 1
    assert [(found.threshold, found.period_start) for found in await letters(organisation.owner)] == [
        (80, _NOON.date())
    ]
    await set_spend(organisation.owner, organisation.tenant_id, midnight - timedelta(minutes=1), 100 * DOLLAR)
    assert await _evaluate(organisation, budget, midnight + timedelta(hours=25)) == 0
    late = (await _alerts(organisation, budget))[_NOON.date(), 100]
    assert (late.is_crossed, late.is_announced) == (True, False)


async def test_a_clock_that_jumps_announces_the_present_period_once(organisation: Organisation) -> None:
    """Over periods, forward and backward, and back to where it was."""
    budget = await _add(organisation, spec(100 * DOLLAR))
    for days in range(-10, 11):
        await set_spend(organisation.owner, organisation.tenant_id, _NOON + days * _DAY, 85 * DOLLAR)
    jumps = (0, 3, 0, -5, 10, -5, 10, 0)
    announced = []
    for days in jumps:
        announced.append(await _evaluate(organisation, budget, _NOON + days * _DAY))
        assert await _evaluate(organisation, budget, _NOON + days * _DAY + _EVALUATION) == 0
    # At noon the day before is over for less than a day, so it is announced as well: that is not the present period.
    found = [(alert.period_start, alert.threshold) for alert in await letters(organisation.owner)]
    assert len(found) == len(set(found)) == sum(announced)
    present = {(_NOON + days * _DAY).date() for days in jumps}
    assert {start for start, _ in found} == present | {start - _DAY for start in present}
    assert announced == [2, 2, 0, 2, 2, 0, 0, 0]


async def test_a_new_budget_says_nothing_about_periods_before_it(organisation: Organisation) -> None:
    budget = await budgets.add(organisation.control, organisation.tenant_id, spec(100 * DOLLAR))
    added = await organisation.owner.fetchval("SELECT created_at FROM budgets")
    await set_spend(organisation.owner, organisation.tenant_id, added - _DAY, 85 * DOLLAR)
    assert await _evaluate(organisation, budget, added) == 0
    await set_spend(organisation.owner, organisation.tenant_id, added, 85 * DOLLAR)  # Also before it was added.
    assert await _evaluate(organisation, budget, added) == 1


async def test_a_forecast_needs_two_reviews_and_rearms_below_nine_tenths(organisation: Organisation) -> None:
    budget = await _add(organisation, spec(100 * DOLLAR, "day", "UTC", 1_000, has_forecast=True))
    owner, tenant = organisation.owner, organisation.tenant_id
    key = (_NOON.date(), FORECAST)

    async def review(turn: int, last_week: int) -> int:
        await set_spend(owner, tenant, _NOON - 7 * _DAY, last_week * DOLLAR)
        return await _evaluate(organisation, budget, _NOON + turn * evaluating.REVIEW)

    assert await review(0, 250) == 0  # Half of the day is left: 125 dollars, and the first review that finds so.
    assert await _evaluate(organisation, budget, _NOON + _EVALUATION) == 0  # No review.
    assert await review(1, 150) == 0
    assert await review(2, 250) == 0
    assert await review(3, 250) == 1
    (letter,) = await letters(owner)
    assert (letter.threshold, letter.period_start) == (FORECAST, _NOON.date())
    assert 100 * DOLLAR <= letter.spent < 125 * DOLLAR
    assert await review(4, 215) == 0  # 96 dollars or so: not taken back.
    assert (await _alerts(organisation, budget))[key].is_crossed
    await review(5, 150)
    assert not (await _alerts(organisation, budget))[key].is_crossed
    await review(6, 300)
    assert not (await _alerts(organisation, budget))[key].is_crossed
    await review(7, 300)
    assert (await _alerts(organisation, budget))[key].is_crossed
    assert len(await letters(owner)) == 1


async def test_an_ended_budget_is_not_evaluated(organisation: Organisation) -> None:
    budget = await _add(organisation, spec(100 * DOLLAR))
    await set_spend(organisation.owner, organisation.tenant_id, _NOON, 85 * DOLLAR)
    assert await budgets.end(organisation.control, organisation.tenant_id, budget)
    assert not await budgets.end(organisation.control, organisation.tenant_id, budget)
    assert await _evaluate(organisation, budget, _NOON) == 0
    assert await letters(organisation.owner) == []


async def test_the_number_of_budgets_is_bounded(organisation: Organisation) -> None:
    made = [await budgets.add(organisation.control, organisation.tenant_id, spec(1)) for _ in range(budgets.OPEN_MAX)]
    with pytest.raises(TooManyBudgets):
        await budgets.add(organisation.control, organisation.tenant_id, spec(1))
    await budgets.end(organisation.control, organisation.tenant_id, made[7])
    await budgets.add(organisation.control, organisation.tenant_id, spec(1))


async def test_a_round_evaluates_all_by_the_clock_of_postgresql_and_counts(organisation: Organisation) -> None:
    for limit in (10, 100, 1_000):
        await budgets.add(organisation.control, organisation.tenant_id, spec(limit * DOLLAR))
    now = await organisation.owner.fetchval("SELECT now()")
    await set_spend(organisation.owner, organisation.tenant_id, now, 85 * DOLLAR)
    figures = await runner.run_once(organisation.mailer, job.BUDGETS)
    assert figures == {"budget_threshold_alerts": 2, "budget_forecast_alerts": 0, "budgets_open": 3}
    assert sorted(found.threshold for found in await letters(organisation.owner)) == [80, 100]
    assert await runner.run_once(organisation.mailer, job.BUDGETS) == {**figures, "budget_threshold_alerts": 0}


async def test_a_budget_in_a_zone_that_is_not_there_keeps_no_other_from_its_turn(organisation: Organisation) -> None:
    """The table takes any name of that form; the database of zones is of the release."""
    _, other = [await budgets.add(organisation.control, organisation.tenant_id, spec(DOLLAR)) for _ in range(2)]
    await organisation.owner.execute("UPDATE budgets SET time_zone = 'Mars/Olympus' WHERE budget_id <> $1", other)
    now = await organisation.owner.fetchval("SELECT now()")
    await set_spend(organisation.owner, organisation.tenant_id, now, DOLLAR)
    done = await runner.play(organisation.mailer, job.BUDGETS)
    assert done is not None
    assert (done.is_complete, done.figures["budget_threshold_alerts"]) == (True, 1)
    assert [found.budget_id for found in await letters(organisation.owner)] == [other]


async def test_a_budget_that_postgresql_refuses_keeps_no_other_from_its_turn(organisation: Organisation) -> None:
    """Here the letter of one cannot be put: the row of its own stays out as well."""
    first, other = [await budgets.add(organisation.control, organisation.tenant_id, spec(DOLLAR)) for _ in range(2)]
    now = await organisation.owner.fetchval("SELECT now()")
    await set_spend(organisation.owner, organisation.tenant_id, now, DOLLAR)
    await organisation.owner.execute(f"ALTER TABLE outbox ADD CONSTRAINT broken CHECK (ids[1] <> '{first}')")
    done = await runner.play(organisation.mailer, job.BUDGETS)
    assert done is not None
    assert (done.is_complete, done.figures["budget_threshold_alerts"]) == (False, 1)
    assert not await _alerts(organisation, first)
    assert [found.budget_id for found in await letters(organisation.owner)] == [other]
    await organisation.owner.execute("ALTER TABLE outbox DROP CONSTRAINT broken")
    done = await runner.play(organisation.mailer, job.BUDGETS)
    assert done is not None
    assert done.is_complete
    assert {found.budget_id for found in await letters(organisation.owner)} == {first, other}
