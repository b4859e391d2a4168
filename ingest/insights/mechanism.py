"""Adds tenants up, and returns what may be published: sums with noise, of routes that many tenants share. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from ingest.insights.parts import Part
from ingest.insights.sampler import Draw
from ingest.insights.scheme import DOMINANCE_MAX, OTHER_WEIGHT_MIN, SCALE, TENANTS_MIN, WEIGHT_MIN
from ingest.knowledge.insights import OTHER, ReleasedRoute, Route


class Total(NamedTuple):
    """The sums of all tenants on a route, how many they are, and the largest weight of one."""

    tenants: int
    largest: int
    sums: Part

    @property
    def is_shared(self) -> bool:
        """Whether enough tenants have a part in it, and none of them too much of it."""
        return self.tenants >= TENANTS_MIN and self.largest <= DOMINANCE_MAX * self.sums.weight


def release(tenants: Sequence[Mapping[Route, Part]], draw: Draw) -> list[ReleasedRoute]:
    """Return what may be published about tenants, in the order of ids; `draw` makes the noise."""
    held: dict[Route, list[Part]] = {}
    for tenant in tenants:
        for route, part in tenant.items():
            held.setdefault(route, []).append(part)
    made = [
        found
        for route in sorted(held.keys() - {OTHER})
        if (total := _total(held[route])).is_shared and (found := _route(route, total, draw)) is not None
    ]
    other = _other(tenants, {found.route for found in made}, draw)
    return made if other is None else [other, *made]


def _total(held: Iterable[Part]) -> Total:
    present = [part for part in held if part.weight]
    sums = Part(*(sum(column) for column in zip(*present, strict=True))) if present else Part(0)
    return Total(len(present), max((part.weight for part in present), default=0), sums)


def _route(route: Route, total: Total, draw: Draw) -> ReleasedRoute | None:
    weight = total.sums.weight + draw(SCALE["weight"])
    if weight < WEIGHT_MIN:
        return None
    return ReleasedRoute(
        route,
        weight,
        total.sums.covered + draw(SCALE["covered"]),
        total.sums.saved + draw(SCALE["saved"]),
        total.sums.latency + draw(SCALE["latency"]),
    )


def _other(tenants: Sequence[Mapping[Route, Part]], released: set[Route], draw: Draw) -> ReleasedRoute | None:
    """Pool what is not released by itself; a tenant is one there, on however many routes."""
    pooled = [Part(sum(part.weight for route, part in tenant.items() if route not in released)) for tenant in tenants]
    total = _total(pooled)
    if not total.is_shared:
        return None
    weight = total.sums.weight + draw(SCALE["other"])
    return ReleasedRoute(OTHER, weight) if weight >= OTHER_WEIGHT_MIN else None
