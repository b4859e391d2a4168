"""Runs the jobs on rollups and invoices: in the service, by `nocontent jobs`, or once; each has one leader."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import NamedTuple

from ingest import logs
from ingest.errors import Unavailable
from ingest.store import connections
from ingest.store.connections import Connection, PostgresError, Role, sqlstate
from ingest.store.usage import jobs
from ingest.store.usage.jobs import Figure, JobName

ROLE: Role = "nocontent_biller"
TICK_S = 1.0  # Between two looks at which job is due, all of which PostgreSQL answers without a write.
RETRY_S = 5.0
REFUSED_REST_S = 30.0  # After a round that failed.
MEMBERSHIP_S = 600.0  # Between two looks at whether a login has been granted the role.
WAIT_FOR_LEADER_S = 30.0  # For the round of another process.
AT_ANY_TIME = timedelta(days=36_500)


class Round(NamedTuple):
    """The result of one round, which is short; if it is not complete, the next follows at once."""

    figures: Mapping[Figure, int]
    is_complete: bool
    rest_s: float


class Job(NamedTuple):
    """A job: its name, and what a round of it does."""

    name: JobName
    work: Callable[[Connection], Awaitable[Round]]


async def run(dsn: str, wanted: tuple[Job, ...]) -> None:
    """Run these jobs by turns forever, as far as this process leads them; failures are logged and tried again."""
    while True:
        try:
            if not await jobs.may_run(dsn):
                await asyncio.sleep(MEMBERSHIP_S)
                continue
            async with connections.connected(dsn, ROLE) as connection:
                await _take_turns(connection, wanted)
        except Unavailable:
            await asyncio.sleep(RETRY_S)


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


SLOW_S = 60.0


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
