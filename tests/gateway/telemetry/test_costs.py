"""What was looked up once a minute gives the prices that a look-up for each request would."""

from datetime import UTC, datetime
from itertools import pairwise

import pytest

from ingest.gateway.telemetry.costs import Costs
from ingest.pricing import book, rates
from ingest.pricing.rates import Rates, Tokens

# A model of each schedule that changes with time.
CHANGING = {
    entry.schedule: (entry.provider, entry.model)
    for entry in book.shipped().entries()
    if len({tier.span for tier in entry.schedule}) > 1
}
SIZES = [Tokens(1, 0, 0, 0, 1), Tokens(1_000, 20_000, 10, 10, 500), Tokens(300_000, 0, 0, 0, 9)]


def moments_ms(schedule: tuple[Rates, ...]) -> list[int]:
    """Return the times at which a model's rates change, the millisecond before, and the end of that minute."""
    found = set()
    for tier in schedule:
        days = [day for day in (tier.span.since, tier.span.until) if 2000 < day.year < 2200]
        starts = [int(day.timestamp()) * 1_000 for day in (*days, datetime(2026, 11, 28, tzinfo=UTC))]
        minutes = (tier.span.from_minute, tier.span.before_minute)
        changes = {start + minute * 60_000 for start in starts for minute in (0, *minutes)}
        found |= {change + by_ms for change in changes for by_ms in (-1, 0, 59_999)}
    return sorted(found)


def test_a_price_is_that_of_its_minute() -> None:
    assert CHANGING
    costs = Costs()
    for schedule, key in CHANGING.items():
        for moments in pairwise(moments_ms(schedule)):
            for at_ms in (*moments, *moments):  # Requests of two minutes may take turns.
                at = datetime.fromtimestamp(at_ms / 1_000, UTC)
                for tokens in SIZES:
                    assert costs.nanousd(key, at_ms, tokens) == rates.price([schedule], at, tokens)


@pytest.mark.parametrize("key", [("anthropic", "no-such-model"), ("nobody", "claude-opus-4-5")])
def test_a_model_that_the_book_lacks_has_no_price(key: tuple[str, str]) -> None:
    assert Costs().nanousd(key, 1_790_000_000_000, SIZES[0]) is None
