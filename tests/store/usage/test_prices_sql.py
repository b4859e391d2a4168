"""The prices in the SQL that sums usage are those of `ingest.pricing`: on random usages, rates, periods and tiers."""

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest

from ingest.pricing import overrides, rates
from ingest.pricing.overrides import Offer
from ingest.pricing.rates import ALWAYS, ANY_SIZE, FOREVER, PICOUSD_MAX, UNKNOWN, PartRates, Rates, Tokens
from ingest.store.connections import Connection
from ingest.store.usage import book, cells, prices
from ingest.store.usage.cells import Span
from ingest.store.usage.prices import Place
from schema import limits
from tests.support.cluster import operator

EVENTS = 6_000
TENANTS = (1, 2, 3)
WITH_OVERRIDES = TENANTS[:2]  # The others are summed by a query of their own.
_TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
_MODELS = (
    "SELECT provider, model FROM nocontent.prices WHERE tenant_id = 0 GROUP BY provider, model"
    " ORDER BY count(*) DESC, provider, model LIMIT 40"  # With tiers, periods and busy hours.
)
_TERMS = "SELECT term_id FROM nocontent.vocabulary WHERE tenant_id = 0 AND kind = 3 ORDER BY term_id LIMIT 20"
_INSERT = """
INSERT INTO nocontent.events (
    occurred_at, event_id, cost_nanousd, baseline_cost_nanousd, tenant_id, input_tokens, output_tokens,
    cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, reasoning_tokens, latency_ms, ttft_ms,
    task_category, provider, requested_model, routed_model, http_status, outcome, tag_1, tag_2, tag_3, tag_4
) VALUES ($1, gen_random_uuid(), $2, -1, $3, $4, $8, $5, $6, $7, 0, 1, 1, 0, $9, $10, $11, 200, 0, $12, $13, 0, 0)
"""


_SUMS = (
    "computed_cost_nanousd", "unpriced_events", "checked_list_cost_nanousd", "mismatch_nanousd",
    "savings_priced_nanousd",
)  # fmt: skip


class Event(NamedTuple):
    at: datetime
    tenant_id: int
    tokens: Tokens
    cost: int
    provider: int
    requested: int
    routed: int


@pytest.fixture
async def owner(database: str) -> AsyncIterator[Connection]:
    async with operator(database) as connection:
        await connection.execute("DELETE FROM nocontent.usage_marks")
        yield connection


class World:
    """Random rates and events, and what the events cost by `ingest.pricing`."""

    def __init__(self, models: list[tuple[int, int]], strangers: list[int]) -> None:
        self.chance = random.Random(15)
        self.models = models
        self.strangers = strangers
        self.own: dict[Place, list[Rates]] = {}
        self.shipped: dict[Place, list[Rates]] = {}

    def rate(self) -> int:
        return self.chance.choice(
            [UNKNOWN, 0, 1, 500, self.chance.randrange(10**7), self.chance.randrange(PICOUSD_MAX + 1)]
        )

    def offers(self) -> list[Offer]:
        """Return rates of up to three periods that may leave gaps, with up to three tiers each."""
        bounds = sorted(_TODAY - timedelta(seconds=self.chance.randrange(3 * 86_400)) for _ in range(4))
        periods = [(ALWAYS, bounds[0]), (bounds[0], bounds[1]), (bounds[2], bounds[3]), (bounds[3], FOREVER)]
        return [
            Offer(since, until, above, PartRates(*(self.rate() for _ in range(5))))
            for since, until in self.chance.sample(periods, self.chance.randrange(1, 4))
            for above in (ANY_SIZE, *self.chance.sample(range(500_000), self.chance.randrange(3)))
        ]

    def event(self) -> Event:
        provider, model = self.chance.choice(self.models)
        others = [model, self.chance.choice(self.models)[1], self.chance.choice(self.strangers)]
        tenant, routed = self.chance.choice(TENANTS), self.chance.choice(others)
        starts = [each.above for each in self.own.get(Place(tenant, provider, routed), []) if each.above > 0]
        if starts and self.chance.random() < 0.5:  # At a bound of a tier, or a token above it.
            sent = [0, 0, 0, 0]
            sent[self.chance.randrange(4)] = self.chance.choice(starts) + self.chance.randrange(2)
        else:
            largest = self.chance.choice([10, 300_000, limits.INPUT_TOKENS_MAX])
            sent = [self.chance.choice([0, self.chance.randrange(largest + 1), largest]) for _ in range(4)]
        return Event(
            _TODAY - timedelta(microseconds=self.chance.randrange(3 * 86_400 * 10**6)),
            tenant,
            Tokens._make([*sent, self.chance.choice([0, self.chance.randrange(limits.OUTPUT_TOKENS_MAX)])]),
            self.chance.choice([-1, -1, 0, self.chance.randrange(limits.COST_NANOUSD_MAX)]),
            provider,
            self.chance.choice(others),
            routed,
        )

    def nearly(self, event: Event) -> Event:
        """Return some events with a cost at the bounds of what is a mismatch."""
        listed = self.price(event, event.routed)
        if listed is None or event.cost < 0 or self.chance.random() < 0.5:
            return event
        off = self.chance.choice([1_000, listed // 100]) + self.chance.randrange(2)
        return event._replace(cost=max(0, listed + self.chance.choice([off, -off])))

    def price(self, event: Event, model: int) -> int | None:
        places = [Place(owner, event.provider, model) for owner in (event.tenant_id, book.BOOK)]
        schedules = [self.own.get(places[0], []), self.shipped.get(places[1], [])]
        return rates.price(schedules, event.at, event.tokens)

    def sums(self, event: Event) -> tuple[int, int, int, int, int]:
        """Return computed cost, unpriced, list cost checked, mismatch and savings by price, of one event."""
        listed, asked = self.price(event, event.routed), self.price(event, event.requested)
        known = listed if event.cost < 0 else event.cost
        savings = asked - known if known is not None and asked is not None else 0
        if event.cost < 0:
            return listed or 0, int(listed is None), 0, 0, savings
        difference = 0 if listed is None else event.cost - listed
        mismatched = listed is not None and 100 * abs(difference) > max(listed, 100_000)
        return 0, 0, listed or 0, difference if mismatched else 0, savings


async def test_sql_and_python_price_every_usage_alike(owner: Connection) -> None:
    models = [(row["provider"], row["model"]) for row in await owner.fetch(_MODELS)]
    world = World(models, [row["term_id"] for row in await owner.fetch(_TERMS)])
    for tenant in WITH_OVERRIDES:
        for provider, model in world.chance.sample(models, 20):
            place, offers = Place(tenant, provider, model), world.offers()
            await prices.add(owner, "prices.set", {place: offers})
            world.own[place] = overrides.schedule(offers)
            assert await prices.schedule(owner, place) == world.own[place]
    known = {model for _, model in models}
    for provider in {provider for provider, _ in models}:
        for model in {*known, *world.strangers}:
            place = Place(book.BOOK, provider, model)
            world.shipped[place] = await prices.schedule(owner, place)
    events = [world.nearly(world.event()) for _ in range(EVENTS)]
    rows = [
        (
            event.at,
            event.cost,
            event.tenant_id,
            *event.tokens,
            event.provider,
            event.requested,
            event.routed,
            *tags(place),
        )
        for place, event in enumerate(events)
    ]
    await owner.executemany(_INSERT, rows)
    spans = [Span(tenant, _TODAY - timedelta(days=3), _TODAY) for tenant in TENANTS]
    found = {
        (row["tag_1"], row["tag_2"]): row
        for some in (spans[: len(WITH_OVERRIDES)], spans[len(WITH_OVERRIDES) :])
        for row in await cells.of_spans(owner, some)
    }
    assert len(found) == EVENTS
    sums = [tuple(found[tags(place)][name] for name in _SUMS) for place in range(EVENTS)]
    assert sums == [world.sums(event) for event in events]
    columns = [sum(map(bool, column)) for column in zip(*sums, strict=True)]
    assert min(columns) > EVENTS // 25  # Each case is there often.


def tags(place: int) -> tuple[int, int]:
    """Return tags that only this event has, so that it is summed alone."""
    return place // 1_000 + 1, place % 1_000 + 1
