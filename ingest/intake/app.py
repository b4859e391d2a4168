"""Composes a worker's application: routes, boundary, and the service, which runs as long as the worker."""

import gc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ingest import config, logs
from ingest.intake import cloudevents, events, health, metrics, openapi, policies, streams
from ingest.intake.extension import NOTHING, Extension
from ingest.intake.litellm import door as litellm
from ingest.intake.otlp import doors, replies
from ingest.intake.problems import FACES
from ingest.intake.quota_table import Table
from ingest.intake.service import Service
from ingest.intake.settings import IntakeSettings
from ingest.knowledge import contract
from ingest.serving import boundary
from ingest.serving.boundary import Boundary
from ingest.serving.errors import MethodNotAllowed, NotFound
from ingest.serving.rebalance import AWAY, Rebalancer
from ingest.serving.tasks import Tasks

RENDERERS = dict.fromkeys(("/v1/traces", "/v1/logs", "/v1/metrics"), replies.error)

boundary.declare(FACES)


def create(shared: object = None, extension: Extension = NOTHING) -> Starlette:
    """Return the application of one worker, with settings from the environment; `shared` is what `Table` returned."""
    app = Starlette(
        routes=[
            Route("/v1/events", events.post_events, methods=["POST"]),
            Route("/v1/integrations/litellm", litellm.post_litellm, methods=["POST"]),
            Route("/api/v1/events", cloudevents.post_cloudevents, methods=["POST"]),
            Route("/v1/traces", doors.post_traces, methods=["POST"]),
            Route("/v1/logs", doors.post_logs, methods=["POST"]),
            Route("/v1/metrics", doors.post_metrics, methods=["POST"]),
            Route("/v1/policy", policies.get_policy, methods=["GET"]),
            Route("/v1/streams/{id}", streams.get_stream, methods=["GET"]),
            Route("/openapi.json", openapi.get_openapi, methods=["GET"]),
            Route("/livez", health.get_livez, methods=["GET"]),
            Route("/readyz", health.get_readyz, methods=["GET"]),
            *extension.routes,
        ],
        middleware=[Middleware(Boundary, faces={**FACES, **extension.faces}, renderers=RENDERERS)],
        exception_handlers={HTTPException: _refuse_route},
        lifespan=_lifespan,
    )
    # An OTLP exporter treats a redirect as success, and loses its data.
    app.router.redirect_slashes = False
    app.state.rebalancer = Rebalancer([AWAY], 0)  # For a single worker; with several, the supervisor has one.
    app.state.policies = policies.Policies()
    app.state.openapi = openapi.compressed(extension)
    app.state.quotas = shared if isinstance(shared, Table) else Table()  # Likewise.
    app.state.tasks = Tasks()
    conditions: dict[
        str, Callable[[], bool]
    ] = {}  # Of rooms above, by the name that `/readyz` answers if one is not met.
    app.state.conditions = conditions
    return app


async def _refuse_route(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:  # noqa: PLR2004 (RFC 9110, section 15.5.6)
        raise MethodNotAllowed((error.headers or {}).get("Allow", ""))
    raise NotFound


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    logs.capture_libraries()
    logs.capture_loop()
    metrics.build.labels(openapi.VERSION, contract.digest()).set(1)
    app.state.service = Service(config.load_own(IntakeSettings), app.state.quotas, app.state.tasks)
    await app.state.service.start()
    # Objects that exist now live as long as the process, so the collector may skip them.
    gc.collect()
    gc.freeze()
    logs.info("started")
    yield
    logs.info("stopping")
    await app.state.service.stop()
    logs.info("stopped")
