"""The jobs: one leader each, replaced once it is dead or hangs, and rounds whose figures everybody sees."""

import asyncio
from datetime import timedelta
from typing import get_args

import asyncpg
import pytest

from ingest.alerts.lanes import ALL as LANES
from ingest.errors import Unavailable
from ingest.jobs import runner
from ingest.jobs.job import Job, Lane, Round
from ingest.store import connections
from ingest.store import jobs as store
from ingest.store.connections import Connection
from ingest.usage import rounds
from tests.support import logins
from tests.support.cluster import operator
from tests.support.logins import ROLES

ROLE = rounds.ROLE
NOW = timedelta()
SECOND = timedelta(seconds=1)


async def _begins(connection: Connection, early: timedelta = NOW) -> bool:
    return await store.begin(connection, "compare", early)


async def _finish(connection: Connection, rest: timedelta = NOW) -> None:
    await store.finish(connection, "compare", rest, {}, is_complete=True)


async def test_the_names_of_jobs_and_figures_are_those_of_the_database(database: str) -> None:
    async with operator(database) as connection:
        totals = {row["figure"] for row in await connection.fetch("SELECT figure FROM job_figures WHERE is_total")}
        assert totals == store.TOTALS
        found = await store.progress(connection)
    assert found.ages_s.keys() == set(get_args(store.JobName))
    assert found.figures.keys() == {*get_args(store.Total), *get_args(store.State)}


async def test_only_one_process_leads_a_job(database: str) -> None:
    async with (
        connections.connected(database, ROLE) as one,
        connections.connected(database, ROLE) as other,
    ):
        assert await _begins(one)
        assert not await _begins(other)
        assert await store.begin(other, "close", NOW)
        await _finish(one)
        assert await _begins(other)


async def test_a_job_rests_for_all_processes(database: str) -> None:
    async with (
        connections.connected(database, ROLE) as one,
        connections.connected(database, ROLE) as other,
    ):
        assert await _begins(one)
        await _finish(one, rest=60 * SECOND)
        assert not await _begins(one)
        assert not await _begins(other, early=30 * SECOND)
        assert await _begins(other, early=runner.AT_ANY_TIME)


async def test_a_leader_that_died_is_replaced_at_once(database: str) -> None:
    async with connections.connected(database, ROLE) as leader, operator(database) as connection:
        assert await _begins(leader)
        assert await connection.fetchval("SELECT pg_terminate_backend($1, 5000)", leader.get_server_pid())
        async with connections.connected(database, ROLE) as other:
            assert await _begins(other)
        leader.terminate()


async def test_a_leader_that_hangs_is_replaced_and_changes_nothing_when_it_wakes(database: str) -> None:
    async with (
        connections.connected(database, ROLE) as hung,
        connections.connected(database, ROLE) as other,
    ):
        assert await _begins(hung)
        async with operator(database) as connection:
            await connection.execute("UPDATE jobs SET led_at = led_at - interval '5 minutes' WHERE job = 'compare'")
        assert await _begins(other)
        await store.finish(hung, "compare", 60 * SECOND, {"hours_compared": 7}, is_complete=True)
        assert (await store.progress(other)).figures["hours_compared"] == 0
        await _finish(other)
        assert await _begins(other)


async def test_totals_add_up_and_states_are_those_of_the_last_round(database: str) -> None:
    async with connections.connected(database, ROLE) as connection:
        for compared, tenant in ((3, 1), (4, 2)):
            assert await _begins(connection)
            figures: dict[store.Figure, int] = {"hours_compared": compared, "compared_tenant": tenant}
            await store.finish(connection, "compare", NOW, figures, is_complete=True)
        found = (await store.progress(connection)).figures
        assert (found["hours_compared"], found["compared_tenant"]) == (7, 2)


async def test_the_age_of_a_job_is_counted_from_the_start_of_its_last_complete_round(database: str) -> None:
    async with operator(database) as connection:
        await connection.execute("UPDATE jobs SET complete_at = now() - interval '1 hour'")
    async with connections.connected(database, ROLE) as connection:
        for is_complete, oldest_s in ((False, 3_600.0), (True, 0.2)):
            assert await _begins(connection)
            await asyncio.sleep(0.2)
            await store.finish(connection, "compare", NOW, {}, is_complete=is_complete)
            assert (await store.progress(connection)).ages_s["compare"] >= oldest_s
        assert (await store.progress(connection)).ages_s["compare"] < 60


async def _refuse(connection: Connection) -> Round:
    await connection.execute("SELECT 1 / 0")
    raise AssertionError


def _lane(*wanted: Job) -> Lane:
    return Lane("jobs", ROLE, wanted)


async def _compared(connection: Connection, *, beyond: int) -> int:
    """Wait until more hours were compared, and return how many."""
    async with asyncio.timeout(30):
        while (compared := (await store.progress(connection)).figures["hours_compared"]) <= beyond:  # noqa: ASYNC110 (another process counts)
            await asyncio.sleep(0.1)
    return compared


async def _count(_connection: Connection) -> Round:
    return Round({"hours_compared": 1}, is_complete=True, rest_s=0.0)


async def test_a_round_that_postgresql_refuses_stops_no_other_job(database: str) -> None:
    running = asyncio.create_task(runner.run(database, _lane(Job("close", _refuse), Job("compare", _count))))
    async with connections.connected(database, ROLE) as connection:
        await _compared(connection, beyond=1)
        assert not await store.begin(connection, "close", NOW)
    running.cancel()


async def test_jobs_go_on_after_their_connection_is_lost(database: str) -> None:
    running = asyncio.create_task(runner.run(database, _lane(Job("compare", _count))))
    kill = """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE application_name = 'nocontent-biller' AND datname = current_database()
    """
    async with operator(database) as connection:
        before = await _compared(connection, beyond=0)
        assert await connection.fetchval(kill) == 1
        await _compared(connection, beyond=before + 1)
    running.cancel()


async def test_once_repeats_a_job_until_nothing_is_left(database: str) -> None:
    left = [2, 1, 0]

    async def work(_connection: Connection) -> Round:
        rest = left.pop(0)
        return Round({"hours_compared": 5, "compared_tenant": rest}, is_complete=not rest, rest_s=60.0)

    async with connections.connected(database, ROLE) as connection:
        assert await runner.run_once(connection, Job("compare", work)) == {"hours_compared": 15, "compared_tenant": 0}
        assert (await store.progress(connection)).figures["hours_compared"] == 15


async def test_once_gives_up_while_another_process_leads(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "WAIT_FOR_LEADER_S", 0.5)
    async with connections.connected(database, ROLE) as one, operator(database) as other:
        assert await _begins(one)
        with pytest.raises(Unavailable):
            await runner.run_once(other, Job("compare", _count))


async def test_a_login_without_the_role_runs_nothing_and_one_line_says_so(
    database: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "MEMBERSHIP_S", 0.1)
    login = await logins.made(database, "nocontent_analyst")
    running = asyncio.create_task(runner.run(logins.dsn_of(database, login), _lane(Job("compare", _count))))
    async with connections.connected(database, ROLE) as connection:
        await asyncio.sleep(1)  # For several looks.
        assert (await store.progress(connection)).figures["hours_compared"] == 0
        async with operator(database) as other:
            await other.execute(f"GRANT nocontent_biller TO {login}")
        await _compared(connection, beyond=0)
    running.cancel()
    assert capfd.readouterr().err.count("role-missing") == 1


@pytest.mark.parametrize("role", [role for role in ROLES if role not in (ROLE, "nocontent_eraser", "nocontent_mailer")])
async def test_nobody_else_takes_the_lead(shared_database: str, role: str) -> None:
    async with logins.connected(shared_database, await logins.made(shared_database, role), role) as connection:
        for act in ("begin_job('rollup', interval '1 year')", "finish_job('rollup', '1 s', true, '{}', '{}')"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(f"SELECT nocontent.{act}")


def test_every_job_is_in_one_lane() -> None:
    named = sorted(job.name for lane in LANES for job in lane.jobs)
    assert named == sorted(get_args(store.JobName))
