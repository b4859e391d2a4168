"""What one tenant adds to a release, for every month that a tenant could have."""

from hypothesis import given
from hypothesis import strategies as st

from ingest.insights.parts import Part, kept, parts
from ingest.insights.scheme import LATENCY_BIN_MAX, LATENCY_BIN_MIN, ROUTES_MAX, UNIT
from ingest.knowledge.insights import OTHER, Route, RouteSums

_AMOUNTS = st.integers(-(10**15), 10**15)
_IDS = st.tuples(st.integers(0, 255), st.integers(0, 32_767), st.integers(0, 32_767)).map(lambda ids: Route(*ids))
_SUMS = st.builds(RouteSums, _IDS, st.integers(0, 10**12), st.integers(0, 10**12), _AMOUNTS, _AMOUNTS)
_MONTHS = st.lists(_SUMS, max_size=40, unique_by=lambda each: each.route)
_BINS = st.dictionaries(st.integers(0, 250), st.integers(1, 10**9), max_size=5)


@given(_MONTHS, st.data())
def test_no_tenant_adds_more_than_its_weight_of_one_to_any_figure(month: list[RouteSums], data: st.DataObject) -> None:
    latencies = {each.route: data.draw(_BINS) for each in kept(month)}
    made = parts(month, latencies)
    if not sum(each.events for each in month):
        assert made == {}
        return
    assert sum(part.weight for part in made.values()) == UNIT
    assert len(made) <= ROUTES_MAX + 1
    for route, part in made.items():
        assert part.weight >= 0
        assert 0 <= part.covered <= part.weight
        assert abs(part.saved) <= part.weight
        assert abs(part.latency) <= part.weight
        assert route == OTHER or (route.task_category < 128 and max(route[1:]) < 16_384)
    assert made[OTHER] == Part(made[OTHER].weight)


def _month(events: int = 100, covered: int = 50, cost: int = 60, saved: int = 40) -> list[RouteSums]:
    return [RouteSums(Route(1, 2, 3), events, covered, cost, saved)]


def test_figures_are_the_tenants_own_means() -> None:
    route = Route(1, 2, 3)
    made = parts(_month(), {route: {40: 1, 60: 1, 82: 1, 99: 2, 120: 1}})
    assert made[route] == Part(UNIT, UNIT // 2, UNIT * 4 // 10, 0)
    assert parts(_month(), {})[route].latency == 0
    for bin_number, clamped in ((1, LATENCY_BIN_MIN), (200, LATENCY_BIN_MAX)):
        assert parts(_month(), {route: {bin_number: 1}}) == parts(_month(), {route: {clamped: 1}})


def test_losses_and_free_requests_stay_within_the_clamp() -> None:
    cases = {(60, -40): -UNIT, (0, 0): 0, (10, -10): -UNIT, (0, 5): UNIT, (100, -20): -UNIT // 4}
    for (cost, saved), share in cases.items():
        assert parts(_month(cost=cost, saved=saved), {})[Route(1, 2, 3)].saved == share


def test_a_tenants_own_terms_and_small_routes_are_in_other_alone() -> None:
    small = [RouteSums(Route(1, 2, number), 10, 0, 0, 0) for number in range(ROUTES_MAX + 5)]
    own = [RouteSums(ids, 1_000, 0, 0, 0) for ids in (Route(128, 1, 1), Route(1, 16_384, 1), Route(1, 1, 16_384))]
    made = parts([*small, *own], {})
    assert set(made) == {OTHER, *(each.route for each in small[:ROUTES_MAX])}
