"""Bounds what one tenant adds to a release: so many routes, and each figure clamped. Pure, and integers alone."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ingest.insights.scheme import LATENCY_BIN_MAX, LATENCY_BIN_MIDDLE, LATENCY_BIN_MIN, LATENCY_BINS, ROUTES_MAX, UNIT
from ingest.knowledge.insights import OTHER, Bins, Route, RouteSums
from schema.event import OWN_IDS, Kind

_OWN_CATEGORIES, _OWN_MODELS = OWN_IDS[Kind.TASK_CATEGORY].start, OWN_IDS[Kind.MODEL].start


class Part(NamedTuple):
    """What a tenant adds to a route: its part of the tenant's requests, and figures from -weight to weight."""

    weight: int
    covered: int = 0
    saved: int = 0
    latency: int = 0


def kept(sums: Sequence[RouteSums]) -> list[RouteSums]:
    """Return the largest routes of a tenant that the shared catalogue can name."""
    known = [each for each in sums if each.events > 0 and _is_shared(each.route)]
    return sorted(known, key=lambda each: (-each.events, each.route))[:ROUTES_MAX]


def parts(sums: Sequence[RouteSums], latencies: Mapping[Route, Bins]) -> dict[Route, Part]:
    """Return what a tenant adds, OTHER included; the weights are UNIT together. Nothing if it had no requests."""
    events = sum(each.events for each in sums)
    if not events:
        return {}
    made = {each.route: _part(each, UNIT * each.events // events, latencies) for each in kept(sums)}
    return made | {OTHER: Part(UNIT - sum(part.weight for part in made.values()))}


def _is_shared(route: Route) -> bool:
    return (
        0 <= route.task_category < _OWN_CATEGORIES
        and 0 <= route.requested_model < _OWN_MODELS
        and 0 <= route.routed_model < _OWN_MODELS
    )


def _part(sums: RouteSums, weight: int, latencies: Mapping[Route, Bins]) -> Part:
    return Part(
        weight,
        weight * _clamp(sums.covered, 0, sums.events) // sums.events,
        _saved(sums, weight),
        weight * _latency(latencies.get(sums.route, {})) // LATENCY_BINS,
    )


def _saved(sums: RouteSums, weight: int) -> int:
    """Return the part of the cost without routing that was saved, from -100 % to 100 % of it."""
    before = sums.cost_nanousd + sums.saved_nanousd
    if before <= 0:
        return -weight if sums.saved_nanousd < 0 else 0
    return weight * _clamp(sums.saved_nanousd, -before, before) // before


def _latency(bins: Bins) -> int:
    """Return how far the median is from the middle, in bins; 0 if no time is known."""
    seen, half = 0, (sum(bins.values()) + 1) // 2
    for number in sorted(bins):
        seen += bins[number]
        if seen >= half:
            return _clamp(number, LATENCY_BIN_MIN, LATENCY_BIN_MAX) - LATENCY_BIN_MIDDLE
    return 0


def _clamp(value: int, least: int, most: int) -> int:
    return min(max(value, least), most)
