"""Probes: `/livez` says that the process should go on, `/readyz` that it may be sent traffic."""

from starlette.requests import Request
from starlette.responses import Response

from ingest.errors import NotReady
from ingest.intake import auth


async def get_livez(request: Request) -> Response:
    """200 while every task of the worker runs."""
    service = auth.service_of(request)
    if service.tasks.broken:
        raise NotReady(tuple(sorted(service.tasks.broken)))
    return Response("ok\n", media_type="text/plain")


async def get_readyz(request: Request) -> Response:
    """200 while tokens and terms are fresh and nobody has asked us to stop."""
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
        failing.append("partitions")  # None for today: nothing of today could be stored.
    failing.extend(sorted(service.tasks.broken))
    if failing:
        raise NotReady(tuple(failing))
    warning = ""
    if service.refresher.watch.are_partitions_low:  # Days before it hurts, and no reason to send the traffic elsewhere.
        warning = f"partitions: {ahead_days} day{'s' * (ahead_days != 1)} ahead\n"
    return Response(f"ok\n{warning}", media_type="text/plain")
