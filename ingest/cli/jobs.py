"""`jobs`: run the jobs on rollups and invoices, until SIGTERM or once."""

import argparse
import asyncio
import signal
from contextlib import suppress

from ingest import logs
from ingest.cli import processes
from ingest.cli.arguments import Subparsers
from ingest.errors import Unavailable
from ingest.store import connections
from ingest.store.database import require_dsn
from ingest.usage import jobs, rounds


def add(commands: "Subparsers[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    says = "add up usage, compare it with the rows, close invoices and hand them over, until SIGTERM"
    command = commands.add_parser("jobs", help=says, description=says)
    command.add_argument("--once", action="store_true", help="do all that there is to do, print it, and exit")
    command.set_defaults(run=_jobs)


def _jobs(args: argparse.Namespace) -> int:
    dsn = require_dsn(processes.load())
    return asyncio.run(_once(dsn) if args.once else _forever(dsn))


async def _once(dsn: str) -> int:
    connection = await connections.connect_as_operator(dsn, jobs.ROLE)
    try:
        failed = [job.name for job in rounds.ALL if not await _run(connection, job)]
    finally:
        await connections.close(connection)
    return int(bool(failed))


async def _run(connection: connections.Connection, job: jobs.Job) -> bool:
    try:
        figures = await jobs.run_once(connection, job)
    except Unavailable:
        print(f"{job.name}: another process runs it; nothing done here (docs/runbooks.md, Jobs not running)")
        return False
    if figures is None:
        print(f"{job.name}: PostgreSQL refused; see the job-failed log line")
        return False
    done = ", ".join(f"{amount:,} {figure.replace('_', ' ')}" for figure, amount in figures.items())
    print(f"{job.name}: {done}")
    return True


async def _forever(dsn: str) -> int:
    await connections.close(await connections.connect_as_operator(dsn, jobs.ROLE))
    running = [asyncio.create_task(jobs.run(dsn, lane)) for lane in rounds.LANES.values()]
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, lambda: [task.cancel() for task in running])
    logs.info("started")
    with suppress(asyncio.CancelledError):
        await asyncio.gather(*running)
    logs.info("stopped")
    return 0
