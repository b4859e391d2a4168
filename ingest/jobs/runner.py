"""Runs lanes of jobs: in the service, by `nocontent jobs`, or once; each job has one leader."""

import asyncio
import time
from datetime import timedelta

from ingest import logs
from ingest.errors import Unavailable
from ingest.jobs.job import Job, Lane, Round
from ingest.store import connections, jobs
from ingest.store.connections import Connection, PostgresError, sqlstate
from ingest.store.jobs import Figure

TICK_S = 1.0  # Between two looks at which job is due, all of which PostgreSQL answers without a write.
RETRY_S = 5.0
REFUSED_REST_S = 30.0  # After a round that failed.
MEMBERSHIP_S = 600.0  # Between two looks at whether a login has been granted the role.
WAIT_FOR_LEADER_S = 30.0  # For the round of another process.
SLOW_S = 60.0
AT_ANY_TIME = timedelta(days=36_500)


async def run(dsn: str, lane: Lane) -> None:
    """Run a lane's jobs by turns forever, as far as this process leads them; failures are logged and tried again.

    A lane whose role the login lacks is not run, and one line says so.
    """
    is_reported = False
    while True:
        try:
            if not await _may_run(dsn, lane):
                if not is_reported:
                    logs.warning("role-missing", privilege=lane.role, task=lane.name)
                is_reported = True
                await asyncio.sleep(MEMBERSHIP_S)
                continue
            async with connections.connected(dsn, lane.role) as connection:
                await _take_turns(connection, lane.jobs)
        except Unavailable:
            await asyncio.sleep(RETRY_S)


async def _may_run(dsn: str, lane: Lane) -> bool:
    async with connections.connected(dsn, None) as connection:
        return await jobs.may_run(connection, lane.role)


async def _take_turns(connection: Connection, wanted: tuple[Job, ...]) -> None:
    while True:
        for job in wanted:
            if await jobs.begin(connection, job.name, timedelta()):
                await play(connection, job)
        await asyncio.sleep(TICK_S)


async def play(connection: Connection, job: Job) -> Round | None:
    """Do a round of a job that this connection leads; return None if PostgreSQL refused it."""
    started = time.monotonic()
    try:
        done = await job.work(connection)
    except (PostgresError, TimeoutError) as refused:
        if connection.is_closed():
            raise
        logs.error("job-failed", job=job.name, error=type(refused).__name__, sqlstate=sqlstate(refused))
        await jobs.finish(connection, job.name, timedelta(seconds=REFUSED_REST_S), {}, is_complete=False)
        return None
    rest_s = done.rest_s if done.is_complete else 0.0
    await jobs.finish(connection, job.name, timedelta(seconds=rest_s), done.figures, is_complete=done.is_complete)
    if time.monotonic() - started > SLOW_S:
        logs.warning("job-slow", job=job.name, duration_ms=int((time.monotonic() - started) * 1000))
    return done


async def run_once(connection: Connection, job: Job) -> dict[Figure, int] | None:
    """Do all that a job has to do, due or not; return the figures of its rounds, or None if it failed.

    Raises Unavailable if another process leads it for too long.
    """
    figures: dict[Figure, int] = {}
    give_up_at = time.monotonic() + WAIT_FOR_LEADER_S
    while True:
        while not await jobs.begin(connection, job.name, AT_ANY_TIME):
            if time.monotonic() > give_up_at:
                raise Unavailable
            await asyncio.sleep(TICK_S / 2)
        done = await play(connection, job)
        if done is None:
            return None
        for figure, amount in done.figures.items():
            figures[figure] = amount + (figures.get(figure, 0) if figure in jobs.TOTALS else 0)
        if done.is_complete:
            return figures
