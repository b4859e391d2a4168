"""Costs of requests: whole pico-USD, by hand, with the cache that is left behind and the one that is filled."""

from datetime import UTC, datetime

import pytest

from ingest.gateway.routing.switching import CACHEABLE_DEFAULT, OUTPUT_TYPICAL, Load, Prices, cacheable, cost_picousd
from ingest.knowledge.gateway import GatewayTenant, Rate
from ingest.pricing.rates import PartRates
from tests.gateway.routing.requests import CACHED, HAIKU, NOW_S, OPUS, SONNET, TENANT, request

OPUS_RATES = PartRates(5_000_000, 500_000, 6_250_000, 10_000_000, 25_000_000)
HAIKU_RATES = PartRates(1_000_000, 100_000, 1_250_000, 2_000_000, 5_000_000)
PLAIN = Load(10_000, 100, caches=False, caches_1h=False)
CACHING = PLAIN._replace(caches=True)
SHORT = CACHING._replace(input=4_000)
COSTS: dict[str, tuple[PartRates, Load, str, int, int]] = {
    "nothing cached": (OPUS_RATES, PLAIN, OPUS, 0, 10_000 * 5_000_000 + 100 * 25_000_000),
    "filling a cache": (HAIKU_RATES, CACHING, HAIKU, 0, 10_000 * 1_250_000 + 100 * 5_000_000),
    "for an hour": (HAIKU_RATES, CACHING._replace(caches_1h=True), HAIKU, 0, 10_000 * 2_000_000 + 100 * 5_000_000),
    "too short for this model": (HAIKU_RATES, SHORT, HAIKU, 0, 4_000 * 1_000_000 + 100 * 5_000_000),
    "long enough for this one": (OPUS_RATES, SHORT, SONNET, 0, 4_000 * 6_250_000 + 100 * 25_000_000),
    "warm": (OPUS_RATES, CACHING, OPUS, 9_000, 9_000 * 500_000 + 1_000 * 6_250_000 + 100 * 25_000_000),
    "more cached than is sent": (OPUS_RATES, CACHING, OPUS, 99_000, 10_000 * 500_000 + 100 * 25_000_000),
    "no price of caching": (PartRates(9, -1, -1, -1, 1), CACHING, OPUS, 4_000, 10_000 * 9 + 100),
}


@pytest.mark.parametrize(("price", "load", "model", "cached", "picousd"), COSTS.values(), ids=COSTS)
def test_a_request_costs_what_its_parts_do(price: PartRates, load: Load, model: str, cached: int, picousd: int) -> None:
    assert cost_picousd(price, load, model, cached) == picousd


def test_a_warm_prefix_of_opus_is_cheaper_than_the_same_one_cold_at_haiku() -> None:
    load = Load(100_000, 0, caches=True, caches_1h=False)
    warm, cold = cost_picousd(OPUS_RATES, load, OPUS, 100_000), cost_picousd(HAIKU_RATES, load, HAIKU, 0)
    assert cold * 2 == warm * 5


def test_an_answer_is_estimated_by_the_trace_unless_it_is_bounded_below() -> None:
    assert Load.of(request(max_tokens=64_000)).output == OUTPUT_TYPICAL
    assert Load.of(request(max_tokens=10)).output == 10
    assert Load.of(request(max_tokens=-10)).output == 0
    assert Load.of(request(**CACHED))[2:] == (True, False)


CACHEABLE = {
    "claude-opus-5": 512, "claude-opus-5-20260723": 512, "claude-opus-4.8:beta": 1_024, "claude-4.5-haiku": 4_096,
    "us.anthropic.claude-haiku-4-5-20251001-v1:0": 4_096, "claude-sonnet-4-6": 2_048, "claude-opus-4-7-fast": 2_048,
    "claude-sonnet-4-20250514": CACHEABLE_DEFAULT, "claude-opus-5-5": CACHEABLE_DEFAULT, "gpt-5": CACHEABLE_DEFAULT,
    "claude-3-5-haiku-latest": 2_048, "claude-3-haiku-20240307": 2_048,
}  # fmt: skip


@pytest.mark.parametrize(("model", "tokens"), CACHEABLE.items())
def test_the_shortest_prefix_is_the_models(model: str, tokens: int) -> None:
    assert cacheable(model) == tokens


def test_a_tenants_rate_takes_the_place_of_the_books_part_by_part() -> None:
    tenant = GatewayTenant(7, rates=(Rate("anthropic", OPUS, 1_000_000, -1, -1, 7, -1),))
    assert Prices(tenant, "anthropic", 100, NOW_S).of(OPUS) == PartRates(1_000_000, 500_000, 6_250_000, 7, 25_000_000)
    assert Prices(tenant, "bedrock", 100, NOW_S).of("no-model") is None


def test_the_tier_of_a_size_and_a_time_counts() -> None:
    long, short = (Prices(TENANT, "anthropic", size, NOW_S).of(SONNET) for size in (200_001, 200_000))
    assert long is not None
    assert short is not None
    assert (long.input, short.input) == (6_000_000, 3_000_000)
    moments = (datetime(2026, month, 1, tzinfo=UTC).timestamp() for month in (3, 4))
    before, after = (Prices(TENANT, "anthropic", 300_000, at).of("claude-opus-4-6") for at in moments)
    assert before is not None
    assert after is not None
    assert (before.input, after.input) == (10_000_000, 5_000_000)
