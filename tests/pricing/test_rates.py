"""Arithmetic of prices: ten events of the demo's trace by hand, tiers, periods, unknown parts, and properties."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.cli import trace
from ingest.pricing import book, rates
from ingest.pricing.rates import (
    ALWAYS,
    ANY_SIZE,
    FOREVER,
    PICOUSD_MAX,
    SIZE_MAX,
    UNKNOWN,
    PartRates,
    Rates,
    Span,
    Tokens,
)
from schema import limits
from tests.support.values import many

AT = datetime(2026, 11, 28, 12, tzinfo=UTC)
HAIKU, SONNET = "claude-haiku-4-5", "claude-sonnet-4-5"
# The first ten arrivals: input and output tokens, the model that the router chose, and the price as one would work it
# out from the list prices in USD per million tokens: haiku 1 and 5, sonnet 3 and 15. In nanousd, 1 is 1,000 a token.
BY_HAND = [
    (374, 44, HAIKU, 374 * 1_000 + 44 * 5_000),
    (396, 109, SONNET, 396 * 3_000 + 109 * 15_000),
    (879, 55, HAIKU, 879 * 1_000 + 55 * 5_000),
    (91, 16, HAIKU, 91 * 1_000 + 16 * 5_000),
    (91, 16, HAIKU, 171_000),
    (381, 84, HAIKU, 801_000),
    (1313, 142, SONNET, 3_939_000 + 2_130_000),
    (388, 84, HAIKU, 388_000 + 420_000),
    (242, 14, HAIKU, 312_000),
    (209, 152, SONNET, 627_000 + 2_280_000),
]


def rated(*picousd: int, span: Span = Span(ALWAYS, FOREVER), above: int = ANY_SIZE, up_to: int = SIZE_MAX) -> Rates:  # noqa: B008 (immutable)
    return Rates(span, above, up_to, PartRates(*picousd))


@pytest.mark.parametrize("place", range(len(BY_HAND)))
def test_events_of_the_demo_cost_what_they_cost_by_hand(place: int) -> None:
    context, generated, model, cost = BY_HAND[place]
    arrival = trace.read()[place]
    event = trace.event(arrival, 1_700_000_000_000)
    assert (arrival.context_tokens, arrival.generated_tokens, event["routed_model"]) == (context, generated, model)
    schedule = book.shipped().schedule("anthropic", model)
    assert rates.price([schedule], AT, Tokens(context, 0, 0, 0, generated)) == cost == event["cost_nanousd"]


def test_a_part_without_tokens_needs_no_rate() -> None:
    schedule = [rated(3_000, UNKNOWN, UNKNOWN, UNKNOWN, 15_000)]
    assert rates.price([schedule], AT, Tokens(1, 0, 0, 0, 1)) == 18
    assert rates.price([schedule], AT, Tokens(1, 0, 0, 1, 1)) is None


def test_free_is_a_price() -> None:
    assert rates.price([[rated(0, 0, 0, 0, 0)]], AT, Tokens(10, 10, 10, 10, 10)) == 0


@pytest.mark.parametrize(("picousd", "nanousd"), [(0, 0), (499, 0), (500, 1), (501, 1), (1_499, 1), (1_500, 2)])
def test_half_a_nanousd_is_rounded_away_from_zero(picousd: int, nanousd: int) -> None:
    assert rates.nanousd(picousd) == nanousd


def test_all_that_is_sent_decides_the_tier_and_its_bound_belongs_below() -> None:
    schedule = [rated(1_000, 1_000, 1_000, 1_000, 0, up_to=200), rated(2_000, 2_000, 2_000, 2_000, 0, above=200)]
    assert rates.price([schedule], AT, Tokens(50, 50, 50, 50, 900)) == 200
    assert rates.price([schedule], AT, Tokens(50, 50, 50, 51, 900)) == 402


def test_a_period_has_its_start_and_not_its_end() -> None:
    change = datetime(2026, 3, 13, tzinfo=UTC)
    schedule = [
        rated(1_000, 0, 0, 0, 0, span=Span(ALWAYS, change)),
        rated(2_000, 0, 0, 0, 0, span=Span(change, FOREVER)),
    ]
    tokens = Tokens(1, 0, 0, 0, 0)
    assert rates.price([schedule], change - timedelta(microseconds=1), tokens) == 1
    assert rates.price([schedule], change, tokens) == 2
    assert rates.price([schedule[:1]], change, tokens) is None


def test_minutes_are_those_of_the_utc_day() -> None:
    schedule = [rated(1_000, 0, 0, 0, 0, span=Span(ALWAYS, FOREVER, 60, 240))]
    before = datetime.fromisoformat("2026-06-01T03:59:59.999999+00:00")
    assert rates.price([schedule], before, Tokens(1, 0, 0, 0, 0)) == 1
    assert rates.price([schedule], before + timedelta(microseconds=1), Tokens(1, 0, 0, 0, 0)) is None
    assert rates.price([schedule], datetime.fromisoformat("2026-06-01T03:00+02:00"), Tokens(1, 0, 0, 0, 0)) == 1


def test_a_tenants_own_rates_come_before_the_book_while_they_are_valid() -> None:
    ends = datetime(2026, 6, 1, tzinfo=UTC)
    own = [rated(500, UNKNOWN, UNKNOWN, UNKNOWN, 500, span=Span(ALWAYS, ends))]
    shipped = [rated(3_000, 300, 0, 0, 15_000)]
    assert rates.price([own, shipped], ends - timedelta(days=1), Tokens(2, 0, 0, 0, 0)) == 1
    assert rates.price([own, shipped], ends, Tokens(2, 0, 0, 0, 0)) == 6
    assert rates.price([own, shipped], ends - timedelta(days=1), Tokens(2, 1, 0, 0, 0)) is None  # Not the book's rate.


COUNTS = st.integers(0, limits.INPUT_TOKENS_MAX)
TOKENS = st.builds(Tokens, COUNTS, COUNTS, COUNTS, COUNTS, st.integers(0, limits.OUTPUT_TOKENS_MAX))
RATES = st.builds(rated, *[st.integers(0, PICOUSD_MAX)] * 5)


def cost(of: Rates, tokens: Tokens) -> int:
    found = rates.cost_picousd(of, tokens)
    assert found is not None
    return found


@many
@given(RATES, TOKENS)
def test_a_cost_is_never_negative_and_fits_a_bigint(of: Rates, tokens: Tokens) -> None:
    assert 0 <= cost(of, tokens) < 2**63


@many
@given(RATES, TOKENS, TOKENS)
def test_costs_add_up(of: Rates, some: Tokens, more: Tokens) -> None:
    both = Tokens(*(mine + yours for mine, yours in zip(some, more, strict=True)))
    assert cost(of, both) == cost(of, some) + cost(of, more)


@many
@given(RATES, TOKENS, st.integers(0, 4), st.integers(0, 1_000))
def test_more_tokens_never_cost_less(of: Rates, tokens: Tokens, part: int, more: int) -> None:
    larger = [*tokens]
    larger[part] += more
    assert cost(of, Tokens(*larger)) >= cost(of, tokens)


@many
@given(RATES, TOKENS, st.integers(0, 4))
def test_an_unknown_rate_is_never_taken_for_zero(of: Rates, tokens: Tokens, part: int) -> None:
    known = [*of.picousd]
    known[part] = UNKNOWN
    found = rates.cost_picousd(rated(*known), tokens)
    assert (found is None) == (tokens[part] > 0)


@many
@given(st.integers(0, 2**63 - 1))
def test_rounding_is_off_by_half_a_nanousd_at_most(picousd: int) -> None:
    assert abs(rates.nanousd(picousd) * 1_000 - picousd) <= 500
