"""Suggestions from sums: each guard alone, and what a suggestion saves."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.pricing.rates import ALWAYS, ANY_SIZE, FOREVER, SIZE_MAX, UNKNOWN, PartRates, Rates, Span, Tokens
from ingest.routes import suggest
from ingest.routes.suggest import AGAINST, WHYS, DryRun, Suggestion
from ingest.store.gateway.evidence import Bins, Cell, Decided, Evidence

_NOW = datetime(2026, 11, 28, tzinfo=UTC)
_CATEGORY, _PROVIDER = 7, 3
_DEAR, _CHEAP, _CHEAPEST = 1, 2, 3
_TOKENS = Tokens(1_000_000, 0, 0, 0, 100_000)
_PRICES = {_DEAR: (15_000_000, 75_000_000), _CHEAP: (3_000_000, 15_000_000), _CHEAPEST: (1_000_000, 5_000_000)}


def _rates(prices: Mapping[int, tuple[int, int]]) -> dict[tuple[int, int], list[Rates]]:
    span = Span(ALWAYS, FOREVER)
    return {
        (_PROVIDER, model): [Rates(span, ANY_SIZE, SIZE_MAX, PartRates(price[0], 0, 0, 0, price[1]))]
        for model, price in prices.items()
    }


def _cell(model: int, events: int, *, asked: int = 0, bad: Mapping[str, int] | None = None) -> Cell:
    cell = Cell(_CATEGORY, _PROVIDER, asked or model, model, events, 0, 0, 0, 1_000, _TOKENS)
    return cell._replace(**(bad or {}))  # type: ignore[arg-type]  # Names of its fields.


def _evidence(*cells: Cell, latencies: Mapping[int, Bins] | None = None, decided: tuple[Decided, ...] = ()) -> Evidence:
    times = {(_CATEGORY, model): bins for model, bins in (latencies or {}).items()}
    return Evidence(_NOW, cells, decided, times, {}, _rates(_PRICES))


def _one(evidence: Evidence, allowed: Collection[int] = ()) -> Suggestion:
    (found,) = suggest.suggest(evidence, allowed)
    return found


def _against(found: Suggestion) -> dict[int, str]:
    return {refusal.model_id: refusal.against for refusal in found.refusals}


def test_the_cheapest_that_ends_no_worse_is_suggested_with_its_saving() -> None:
    found = _one(_evidence(_cell(_DEAR, 5_000), _cell(_CHEAP, 1_000), _cell(_CHEAPEST, 1_000)))
    assert (found.reference_id, found.model_id, found.why, found.events) == (_DEAR, _CHEAPEST, None, 7_000)
    # 1 M tokens of input and 0.1 M of output each: USD 22.50 and 4.50 come down to 1.50.
    assert (found.saved_nanousd, found.covered) == (24_000_000_000, 6_000)
    assert _against(found) == {_CHEAP: "saves-less"}


def test_a_model_that_is_worse_leaves_the_next_one() -> None:
    cells = (_cell(_DEAR, 5_000), _cell(_CHEAP, 1_000), _cell(_CHEAPEST, 1_000, bad={"failed": 100}))
    found = _one(_evidence(*cells))
    assert (found.model_id, _against(found)) == (_CHEAP, {_CHEAPEST: "fails-more"})


@pytest.mark.parametrize(
    ("cell", "against"),
    [
        (_cell(_CHEAP, 199), "few-requests"),
        (_cell(_CHEAP, 1_000, bad={"failed": 60}), "fails-more"),
        (_cell(_CHEAP, 1_000, bad={"retried": 60}), "retried-more"),
        (_cell(_CHEAP, 1_000, bad={"replaced": 60}), "replaced-more"),
        (_cell(99, 1_000), "no-price"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_guard_speaks_against_a_model(cell: Cell, against: str) -> None:
    found = _one(_evidence(_cell(_DEAR, 5_000), cell))
    assert (found.model_id, found.why, _against(found)) == (None, "none-passes", {cell.routed_id: against})


def test_a_dearer_model_is_not_suggested() -> None:
    found = _one(_evidence(_cell(_CHEAP, 5_000), _cell(_DEAR, 1_000)))
    assert (found.model_id, _against(found)) == (None, {_DEAR: "not-cheaper"})


def test_a_later_model_is_not_suggested() -> None:
    cells = (_cell(_DEAR, 5_000), _cell(_CHEAP, 1_000))
    assert _against(_one(_evidence(*cells, latencies={_DEAR: {50: 900}, _CHEAP: {60: 900}}))) == {_CHEAP: "later"}
    assert _one(_evidence(*cells, latencies={_DEAR: {50: 900}, _CHEAP: {60: 100}})).model_id == _CHEAP  # Not known.


def test_only_allowed_models_are_suggested_if_there_is_a_list() -> None:
    found = _one(_evidence(_cell(_DEAR, 5_000), _cell(_CHEAP, 1_000), _cell(_CHEAPEST, 1_000)), {_CHEAP, 42})
    assert found.model_id == _CHEAP
    assert _against(found) == {_CHEAPEST: "not-allowed", 42: "few-requests"}


def test_a_category_without_comparison_says_why() -> None:
    assert _one(_evidence(_cell(_DEAR, 199), _cell(_CHEAP, 199, asked=_DEAR))).why == "few-requests"
    assert _one(_evidence(_cell(_DEAR, 5_000))).why == "no-other-model"


def test_what_is_routed_already_is_compared_with_what_serves_most() -> None:
    found = _one(_evidence(_cell(_CHEAP, 5_000, asked=_DEAR), _cell(_CHEAPEST, 1_000, asked=_DEAR)))
    assert (found.reference_id, found.model_id, found.covered) == (_CHEAP, _CHEAPEST, 5_000)


def test_requests_without_a_price_are_in_no_saving() -> None:
    cells = (_cell(_DEAR, 5_000), _cell(_CHEAP, 1_000), _cell(99, 700))
    found = _one(_evidence(*cells))
    assert (found.model_id, found.covered, found.saved_nanousd) == (_CHEAP, 5_000, 18_000_000_000)


def test_the_own_rate_of_a_tenant_counts_before_the_book() -> None:
    evidence = _evidence(_cell(_DEAR, 5_000), _cell(_CHEAP, 1_000))
    free = evidence._replace(own_rates=_rates({_DEAR: (0, 0)}))
    assert _against(_one(free)) == {_CHEAP: "not-cheaper"}
    unknown = evidence._replace(own_rates=_rates({_CHEAP: (UNKNOWN, 0)}))
    assert _against(_one(unknown)) == {_CHEAP: "no-price"}


def test_the_category_that_cost_most_comes_first() -> None:
    small = _cell(_DEAR, 5_000)._replace(category_id=8, spent_nanousd=1)
    assert [each.category_id for each in suggest.suggest(_evidence(small, _cell(_DEAR, 5_000)), ())] == [7, 8]


def test_dry_runs_are_reckoned_for_the_models_of_the_table() -> None:
    row = Decided("dry-run", _CATEGORY, _PROVIDER, _DEAR, 100, _TOKENS)
    decided = (row, row._replace(routed_id=99, events=5), row._replace(reason="routed"), row._replace(category_id=8))
    found = suggest.dry_runs(_evidence(decided=decided), {_CATEGORY: _CHEAP})
    assert found == [DryRun(_CATEGORY, 105, 100, 18_000_000_000), DryRun(8, 100, 0, 0)]


def test_every_reason_has_a_case_above() -> None:
    assert (len(AGAINST), len(WHYS)) == (9, 3)


@st.composite
def _any_evidence(draw: st.DrawFn) -> Evidence:
    cells = {}
    for _ in range(draw(st.integers(1, 12))):
        events = draw(st.sampled_from([1, 150, 199, 200, 500, 20_000]))
        asked, model = draw(st.integers(1, 5)), draw(st.integers(1, 5))
        flaw = draw(st.sampled_from(["failed", "retried", "replaced", ""]))
        bad = {flaw: draw(st.integers(0, events))} if flaw else {}
        cells[draw(st.integers(7, 8)), asked, model] = _cell(model, events, asked=asked, bad=bad)
    found = [cell._replace(category_id=category_id) for (category_id, _, _), cell in cells.items()]
    return _evidence(*found)


@given(_any_evidence(), st.sets(st.integers(1, 6)))
def test_whatever_happened_a_suggestion_is_allowed_known_and_cheaper_or_has_its_reason(
    evidence: Evidence, allowed: set[int]
) -> None:
    for found in suggest.suggest(evidence, allowed):
        refused = _against(found)
        others = {cell.routed_id for cell in evidence.cells if cell.category_id == found.category_id} | allowed
        assert found.covered <= found.others <= found.events
        if found.model_id is None:
            assert (found.why == "none-passes") == bool(refused)
        else:
            assert others == {found.model_id, *refused} | others & {found.reference_id}
            assert found.record is not None
            assert (found.record.failed.of >= 200, found.saved_nanousd > 0, found.why) == (True, True, None)
            assert not allowed or found.model_id in allowed
