"""Composes the application of `serve`: that of intake, with the doors of this room, and the jobs."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial

from starlette.applications import Starlette
from starlette.routing import Route

from ingest import config
from ingest.intake import app
from ingest.intake.extension import Extension
from ingest.intake.settings import IntakeSettings
from ingest.intake.throttle import Throttle
from ingest.jobs import runner
from ingest.jobs.job import Lane
from ingest.reports import exports, gateway, invoices, lanes, openapi, receipt_keys, usage
from ingest.reports.problems import REPORTS
from ingest.rights.receipts import settings
from ingest.rights.receipts.settings import ReceiptSettings
from ingest.rights.restore import RestoreWatch
from ingest.serving import boundary
from ingest.store.database import require_dsn
from ingest.store.read_connections import ReadConnections
from ingest.usage.processor import webhook
from ingest.usage.processor.settings import PaymentSettings
from ingest.usage.settings import JobsSettings

EXTENSION = Extension(
    routes=(
        Route("/v1/usage", usage.get_usage, methods=["GET"]),
        Route("/v1/invoices", invoices.get_invoices, methods=["GET"]),
        Route("/v1/invoices/{number}", invoices.get_invoice, methods=["GET"]),
        Route("/v1/exports", exports.get_manifest, methods=["GET"]),
        Route("/v1/exports/focus.csv", exports.get_focus, methods=["GET"]),
        Route("/v1/exports/{file}", exports.get_table, methods=["GET"]),
        Route("/v1/exports/{data}/{file}", exports.get_day, methods=["GET"]),
        Route(gateway.PATH, gateway.get_snapshot, methods=["GET"]),
        Route(receipt_keys.PATH, receipt_keys.get_receipt_keys, methods=["GET"]),
    ),
    faces=REPORTS,
    paths=openapi.PATHS,
    types=openapi.TYPES,
)

Work = Callable[[], Awaitable[None]]
RENDERINGS_WAITING_MAX = 8  # Of one tenant.
boundary.declare(REPORTS)


def create(shared: object = None, more: Sequence[Lane] = ()) -> Starlette:
    """Return the application of one worker, with settings from the environment; `shared` is as for `intake.app`.

    It runs the lanes of this room and `more`.
    """
    payments = config.load_own(PaymentSettings)
    doors = webhook.routes(payments, config.load_own(IntakeSettings).dsn)
    described = {**EXTENSION.paths, **(openapi.WEBHOOK if doors else {})}
    application = app.create(shared, EXTENSION._replace(routes=(*EXTENSION.routes, *doors), paths=described))
    application.state.receipt_keys = settings.public_keys(config.load_own(ReceiptSettings))
    application.state.renderings = Throttle(RENDERINGS_WAITING_MAX)
    inner = application.router.lifespan_context

    @asynccontextmanager
    async def lifespan(within: Starlette) -> AsyncIterator[None]:
        dsn = require_dsn(config.load_own(IntakeSettings))
        within.state.read_connections = ReadConnections(dsn)
        within.state.exports = exports.Exports(dsn)
        async with inner(within):
            guarded = _watch_restores(within, dsn)
            if config.load_own(JobsSettings).jobs:
                for lane in (*lanes.LANES, *more):
                    within.state.tasks.start(lane.name, guarded(partial(runner.run, dsn, lane)))
            yield
        await within.state.read_connections.close()
        await within.state.exports.close()

    application.router.lifespan_context = lifespan
    return application


def _watch_restores(application: Starlette, dsn: str) -> Callable[[Work], Work]:
    """Watch for a restore to before an erasure: then the worker is not ready, and the jobs rest."""
    folder = settings.folder(config.load_own(ReceiptSettings))
    if folder is None:
        return lambda work: work
    known = application.state.service.snapshot
    watch = RestoreWatch(dsn, "nocontent_writer", folder, lambda: int(known.revision))
    application.state.conditions["erasures"] = lambda: watch.is_clear
    application.state.tasks.start("orders", watch.run)
    return lambda work: partial(watch.run_while_clear, work)
