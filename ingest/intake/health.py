"""Probes: `/livez` reports whether the process works, `/readyz` whether it is ready for traffic."""

from starlette.requests import Request
from starlette.responses import Response

from ingest.errors import NotReady
from ingest.intake import auth


async def get_livez(request: Request) -> Response:
    """Return 200 while every task of the worker runs; raises NotReady."""
    service = auth.service_of(request)
    if service.tasks.broken:
        raise NotReady(tuple(sorted(service.tasks.broken)))
    return Response("ok\n", media_type="text/plain")


async def get_readyz(request: Request) -> Response:
    """Return 200 while tokens and terms are fresh and the worker is not stopping; raises NotReady."""
    service = auth.service_of(request)
    failing = []
    if service.tasks.is_stopping:
        failing.append("stopping")
    if not service.refresher.is_fresh:
        failing.append("database")
    if service.snapshot.clock.is_adrift:
        failing.append("clock")
    ahead_days = service.refresher.watch.partitions_ahead_days
    if ahead_days < 0:
        failing.append("partitions")  # Without one for today, none of today's events can be stored.
    failing.extend(name for name, is_met in request.app.state.conditions.items() if not is_met())
    failing.extend(sorted(service.tasks.broken))
    if failing:
        raise NotReady(tuple(failing))
    warning = ""
    if service.refresher.watch.are_partitions_low:  # There are days left, so traffic may still come here.
        warning = f"partitions: {ahead_days} day{'s' * (ahead_days != 1)} ahead\n"
    return Response(f"ok\n{warning}", media_type="text/plain")
