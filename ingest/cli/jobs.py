"""`jobs`: run the jobs on rollups, invoices, erasures, mail, budgets and webhooks, until SIGTERM or once."""

import argparse
import asyncio
import signal
from contextlib import suppress

from ingest import logs
from ingest.alerts import settings as alerts
from ingest.alerts.lanes import ALL as LANES
from ingest.cli import processes
from ingest.cli.arguments import Subparsers
from ingest.errors import CannotStart, Unavailable
from ingest.jobs import runner
from ingest.jobs.job import Job, Lane
from ingest.rights import restore
from ingest.rights.receipts import settings
from ingest.rights.receipts.folder import Folder
from ingest.store import connections, jobs
from ingest.store.connections import Connection, Role
from ingest.store.database import require_dsn


def add(commands: "Subparsers[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    says = "add up usage, close invoices, erase, compare budgets, send letters and post to webhooks, until SIGTERM"
    command = commands.add_parser("jobs", help=says, description=says)
    command.add_argument("--once", action="store_true", help="do all that there is to do, print it, and exit")
    command.set_defaults(run=_jobs)


def _jobs(args: argparse.Namespace) -> int:
    wanted = processes.load()
    alerts.check()
    dsn, folder = require_dsn(wanted), settings.folder(wanted)
    return asyncio.run(_once(dsn, folder) if args.once else _forever(dsn, folder))


async def _once(dsn: str, folder: Folder | None) -> int:
    allowed = await _allowed(dsn)
    await _require_replayed(dsn, allowed[0].role, folder)
    for lane in LANES:
        if lane not in allowed:
            print(f"{', '.join(job.name for job in lane.jobs)}: not run; the login lacks the role {lane.role}")
    done = [await _run(dsn, lane) for lane in allowed]
    return int(not all(done))


async def _allowed(dsn: str) -> list[Lane]:
    """Return the lanes whose roles the login has; raises CannotStart if it has that of none."""
    connection = await connections.connect_as_operator(dsn)
    try:
        allowed = [lane for lane in LANES if await jobs.may_run(connection, lane.role)]
    finally:
        await connections.close(connection)
    if not allowed:
        raise CannotStart(f"The login has no role of any job: grant it {LANES[0].role} (docs/roles.md).")
    return allowed


async def _require_replayed(dsn: str, role: Role, folder: Folder | None) -> None:
    connection = await connections.connect_as_operator(dsn, role)
    try:
        await restore.require_replayed(connection, folder)
    finally:
        await connections.close(connection)


async def _run(dsn: str, lane: Lane) -> bool:
    connection = await connections.connect_as_operator(dsn, lane.role)
    try:
        return all([await _run_job(connection, job) for job in lane.jobs])
    finally:
        await connections.close(connection)


async def _run_job(connection: Connection, job: Job) -> bool:
    try:
        figures = await runner.run_once(connection, job)
    except Unavailable:
        print(f"{job.name}: another process runs it; nothing done here (docs/runbooks.md, Jobs not running)")
        return False
    if figures is None:
        print(f"{job.name}: PostgreSQL refused; see the job-failed log line")
        return False
    done = ", ".join(f"{amount:,} {figure.replace('_', ' ')}" for figure, amount in figures.items())
    print(f"{job.name}: {done}")
    return True


async def _forever(dsn: str, folder: Folder | None) -> int:
    role = (await _allowed(dsn))[0].role
    await _require_replayed(dsn, role, folder)
    running = [asyncio.create_task(runner.run(dsn, lane)) for lane in LANES]
    if folder is not None:
        running.append(asyncio.create_task(restore.end_if_lacking(dsn, role, folder)))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, lambda: [task.cancel() for task in running])
    logs.info("started")
    try:
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*running)
    finally:
        for task in running:
            task.cancel()
    logs.info("stopped")
    return 0
