"""A release of tenants that are simulated: who is in it, and how much it tells about any one of them."""

import math
from collections.abc import Callable, Sequence
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.insights import mechanism
from ingest.insights.parts import Part
from ingest.insights.sampler import Draw, discrete_laplace
from ingest.insights.scheme import (
    DELTA,
    EPSILON,
    EPSILON_MAX,
    OTHER_WEIGHT_MIN,
    ROUTES_MAX,
    SCALE,
    TENANTS_MIN,
    UNIT,
    WEIGHT_MIN,
)
from ingest.knowledge.insights import OTHER, ReleasedRoute, Route
from tests.support import privacy

_ROUTE, _SECOND = Route(1, 2, 3), Route(1, 2, 4)
_RUNS = 1_500
_Released = list[ReleasedRoute]
_Tenant = dict[Route, Part]


def _none(_scale: Fraction) -> int:
    return 0


def _lucky(_scale: Fraction) -> int:
    return 10**9  # No threshold holds anything back.


def _eighth(scale: Fraction) -> int:
    return discrete_laplace(scale / 8)


def _tenant(**weights: Fraction) -> _Tenant:
    """Return a tenant with parts of its weight on the routes `first` and `second`, and the rest elsewhere."""
    places = {"first": _ROUTE, "second": _SECOND}
    made = {places[name]: Part(int(UNIT * share)) for name, share in weights.items()}
    return made | {OTHER: Part(UNIT - sum(part.weight for part in made.values()))}


def _routes(found: _Released) -> set[Route]:
    return {row.route for row in found}


def test_nine_tenants_are_too_few_whatever_the_noise_is() -> None:
    tenants = [_tenant(first=Fraction(1))] * (TENANTS_MIN - 1)
    assert mechanism.release(tenants, _lucky) == []
    assert _routes(mechanism.release([*tenants, tenants[0]], _lucky)) == {_ROUTE}
    idle = _tenant(first=Fraction(0))
    assert _ROUTE not in _routes(mechanism.release([*tenants, idle], _lucky))


def test_a_route_that_is_half_one_tenants_is_not_released() -> None:
    small = [_tenant(first=Fraction(1, 100))] * 20
    exactly = mechanism.release([*small, _tenant(first=Fraction(20, 100))], _lucky)
    assert _ROUTE in _routes(exactly)
    above = mechanism.release([*small, _tenant(first=Fraction(21, 100))], _lucky)
    assert _ROUTE not in _routes(above)
    assert OTHER in _routes(above)


def test_what_is_not_released_is_pooled() -> None:
    tenants = [_tenant(first=Fraction(1, 2), second=Fraction(1, 10))] * 400
    found = {row.route: row for row in mechanism.release(tenants, _none)}
    assert found.keys() == {OTHER, _ROUTE}
    assert found[_ROUTE] == ReleasedRoute(_ROUTE, 200 * UNIT, 0, 0, 0)
    assert found[OTHER] == ReleasedRoute(OTHER, 200 * UNIT)


def test_ten_tenants_are_not_shown_by_noise_of_fourteen_scales() -> None:
    tenants = [_tenant(first=Fraction(1))] * TENANTS_MIN
    assert mechanism.release(tenants, lambda scale: int(14 * scale)) == []


@given(st.lists(st.tuples(st.integers(0, 1_000), st.integers(0, 1_000)), max_size=60))
def test_no_route_is_released_without_enough_tenants_and_with_one_above_half(shares: list[tuple[int, int]]) -> None:
    tenants = [_tenant(first=Fraction(a, 2_000), second=Fraction(b, 2_000)) for a, b in shares]
    for row in mechanism.release(tenants, _lucky):
        if row.route != OTHER:
            weights = [tenant[row.route].weight for tenant in tenants if tenant[row.route].weight]
            assert len(weights) >= TENANTS_MIN
            assert 2 * max(weights) <= sum(weights)


def test_what_is_spent_is_one_and_delta_covers_the_tests_on_true_values() -> None:
    """Decision 0039: the tests differ for two neighbours only where the weight is TENANTS_MIN at most."""
    assert sum(EPSILON.values()) == EPSILON_MAX == 1
    assert {name: scale * EPSILON[name] for name, scale in SCALE.items()} == dict.fromkeys(EPSILON, UNIT)

    def reached(least: int, name: str) -> float:
        return math.exp(-(least - TENANTS_MIN * UNIT) / SCALE[name]) / (1 + math.exp(-1 / SCALE[name]))

    spent = ROUTES_MAX * reached(WEIGHT_MIN, "weight") + reached(OTHER_WEIGHT_MIN, "other")
    assert math.e * spent < DELTA


# One tenant less: what it adds is as extreme as a tenant can be.
_EXTREME: _Tenant = {_ROUTE: Part(UNIT, UNIT, UNIT, UNIT), OTHER: Part(0)}
_PLAIN = _tenant(first=Fraction(1))


def _outcomes(tenants: Sequence[_Tenant], draw: Draw) -> list[_Released]:
    return [mechanism.release(tenants, draw) for _ in range(_RUNS)]


def _at_least(field: str, value: int) -> Callable[[_Released], bool]:
    return lambda found: any(row.route == _ROUTE and getattr(row, field) >= value for row in found)


def _below(field: str, value: int) -> Callable[[_Released], bool]:
    return lambda found: not _at_least(field, value)(found)


def _all_high(weight: int) -> Callable[[_Released], bool]:
    events = [_at_least("weight", weight), *(_at_least(name, UNIT) for name in ("covered", "saved", "latency"))]
    return lambda found: all(event(found) for event in events)


def _differ(draw: Draw, others: int) -> bool:
    """Return whether releases with and without the extreme tenant differ by more than is spent, in either direction."""
    without = [_PLAIN] * others
    here, away = _outcomes([*without, _EXTREME], draw), _outcomes(without, draw)
    weight = (others + 1) * UNIT
    more = _at_least("weight", weight), _at_least("saved", UNIT), _at_least("covered", UNIT), _all_high(weight)
    less = _below("weight", weight), _below("saved", UNIT)
    return any(privacy.separates(event, here, away, 1, float(DELTA)) for event in more) or any(
        privacy.separates(event, away, here, 1, float(DELTA)) for event in less
    )


_THRESHOLD = WEIGHT_MIN // UNIT


@pytest.mark.parametrize("others", [_THRESHOLD - 1, 80], ids=["at-the-threshold", "far-above"])
def test_releases_that_differ_by_one_tenant_hardly_differ(others: int) -> None:
    assert not _differ(discrete_laplace, others)
    assert _differ(_eighth, others)
    assert _differ(_none, others)
