"""Composes a worker's application: routes, boundary, and what the pages share."""

import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import date
from functools import partial
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ingest import config, logs
from ingest.accounts.passwords import Passwords
from ingest.accounts.signing_in import Accounts
from ingest.alerts.letters import settings as letters
from ingest.alerts.webhooks import settings as webhooks
from ingest.console import entry, faces, metrics, probes, render, routes, static
from ingest.console.agreements import Agreements
from ingest.console.counts import PageCounts
from ingest.console.downloads import Downloads
from ingest.console.services import FORMS_BYTES_MAX, Evidence, Outgoing, Services, ViewCounts
from ingest.console.settings import WorkerSettings
from ingest.console.site.counts import SiteCounts
from ingest.knowledge.keys import KeyFile, Keys
from ingest.legal import library, security_txt
from ingest.rights.receipts import settings as receipts
from ingest.rights.restore import RestoreWatch
from ingest.serving import boundary
from ingest.serving.body_memory import BodyMemory
from ingest.serving.boundary import Boundary
from ingest.serving.errors import NotFound
from ingest.serving.heartbeat import Heartbeat
from ingest.serving.rebalance import AWAY, Rebalancer
from ingest.serving.tasks import Tasks
from ingest.store import page_counts, site_counts
from ingest.store.connections import Connection
from ingest.store.database import require_dsn
from ingest.store.site_counts import Views
from ingest.store.visits import LOOK_UPS, ROLE, Visits

boundary.declare(faces.FACES)
metrics.declare(face.status for face in faces.FACES.values())


def create(shared: object = None) -> Starlette:
    """Return the application of one worker, with settings from the environment; `shared` are keys without a file."""
    app = Starlette(
        routes=[
            *entry.routes(routes.PAGES, routes.PUBLIC),
            Route(static.PATH, static.get_static, methods=["GET"]),
            Route("/livez", probes.get_livez, methods=["GET"]),
            Route("/readyz", probes.get_readyz, methods=["GET"]),
        ],
        middleware=[
            Middleware(Counting),
            Middleware(Boundary, faces=faces.FACES, renderers=faces.PROBES, default=faces.error_page),
        ],
        exception_handlers={HTTPException: _refuse_route},
        lifespan=_lifespan,
    )
    app.router.redirect_slashes = False
    app.state.rebalancer = Rebalancer([AWAY], 0)  # For a single worker; with several, the supervisor has one.
    app.state.tasks = Tasks()
    app.state.keys = shared
    render.environment()
    static.assets()
    return app


class Counting:
    """ASGI middleware that counts answers by status."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                metrics.console_responses.labels(str(message["status"])).inc()
            await send(message)

        await self._app(scope, receive, counted if scope["type"] == "http" else send)


async def _refuse_route(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    raise NotFound


def _keys(settings: WorkerSettings, shared: object) -> Callable[[], Keys]:
    if settings.session_keys_file:
        return KeyFile(Path(settings.session_keys_file)).keys
    keys = shared if isinstance(shared, Keys) else Keys.make()
    return lambda: keys


async def _store_counts(visits: Visits, views: dict[tuple[date, str], int]) -> None:
    async with visits.connect() as connection:
        await page_counts.add(connection, views)


async def _store_site(visits: Visits, store: Callable[[Connection, Views], Awaitable[None]], views: Views) -> None:
    async with visits.connect() as connection:
        await store(connection, views)


def _outgoing(settings: WorkerSettings) -> Outgoing:
    return Outgoing(
        letters.keys(settings),
        webhooks.keys(settings),
        webhooks.allows_loopback(settings),
        sends_mail=bool(settings.smtp_url),
    )


def _start_tasks(app: Starlette) -> None:
    state = app.state
    state.tasks.start("pulse", Heartbeat(state.tasks.broken).run)
    state.tasks.start("database", state.database.run)
    state.tasks.start("page-counts", state.services.counts.pages.run)
    state.tasks.start("site-counts", state.services.counts.site.run)
    if state.restores is not None:
        state.tasks.start("orders", state.restores.run)


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    logs.capture_libraries()
    logs.capture_loop()
    settings = config.load_own(WorkerSettings)
    visits, look_ups = Visits(require_dsn(settings)), Visits(require_dsn(settings), LOOK_UPS)
    passwords, keys = Passwords(), _keys(settings, app.state.keys)
    downloads, folder = Downloads(require_dsn(settings)), receipts.folder(settings)
    counts = PageCounts(partial(_store_counts, visits), is_on=settings.page_counts)
    site = SiteCounts(
        partial(_store_site, visits, site_counts.add_pages),
        partial(_store_site, visits, site_counts.add_referrers),
        origin=settings.console_url,
        is_on=settings.site_counts,
    )
    app.state.services = Services(
        origin=settings.console_url.removesuffix("/"),
        proxies=settings.console_proxies,
        keys=keys,
        visits=visits,
        look_ups=look_ups,
        accounts=Accounts(visits.connect, keys, passwords),
        memory=BodyMemory(FORMS_BYTES_MAX, FORMS_BYTES_MAX // 2),
        counts=ViewCounts(counts, site),
        downloads=downloads,
        agreements=Agreements(library.load(settings), look_ups),
        evidence=Evidence(folder, settings.proof_report),
        outgoing=_outgoing(settings),
    )
    app.state.database = probes.Database(look_ups)
    app.state.restores = None if folder is None else RestoreWatch(require_dsn(settings), ROLE, folder, lambda: 0)
    _start_tasks(app)
    if app.state.services.legal.facts.security_uri is not None:
        metrics.security_txt_expires_seconds.set(security_txt.expires_at().timestamp())
    gc.collect()
    gc.freeze()
    logs.info("started")
    yield
    logs.info("stopping")
    await app.state.tasks.stop()
    await counts.flush()
    await site.flush()
    await downloads.close()
    await visits.close()
    await look_ups.close()
    passwords.close()
    logs.info("stopped")
