"""Routes and their sums, of one tenant and of a release across tenants: types alone, which need no database."""

from collections.abc import Mapping
from typing import NamedTuple

Bins = Mapping[int, int]  # Of `ingest.usage.histogram`, with their counts.


class Route(NamedTuple):
    """The ids of a task category, the model that was asked for, and the model that answered."""

    task_category: int
    requested_model: int
    routed_model: int


OTHER = Route(-1, -1, -1)  # Every route that is not released by itself.


class RouteSums(NamedTuple):
    """What a tenant used on a route; `covered` are the requests whose savings are known."""

    route: Route
    events: int
    covered: int
    cost_nanousd: int
    saved_nanousd: int


class ReleasedRoute(NamedTuple):
    """Sums over tenants with noise; of OTHER there is the weight alone."""

    route: Route
    weight: int
    covered: int | None = None
    saved: int | None = None
    latency: int | None = None
