"""A tenant's own rates and the sums of usage: changed together, whatever runs at the same time."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from ingest.pricing.overrides import Offer
from ingest.pricing.rates import ALWAYS, ANY_SIZE, FOREVER, PartRates
from ingest.store import batches, connections, tenants
from ingest.store.connections import Connection
from ingest.store.usage import prices, rollups
from ingest.store.usage.prices import Place, Unpriced
from schema.event import Kind
from tests.support import sample, sums
from tests.support.cluster import operator
from tests.support.entries import entry

FREE = PartRates(0, 0, 0, 0, 0)
_HOURS = "SELECT count(*) FROM nocontent.usage_marks WHERE events = 0"


@pytest.fixture
async def control(database: str) -> AsyncIterator[Connection]:
    async with connections.connected(database, "nocontent_control") as connection:
        await tenants.add(connection, "acme")
        yield connection


async def stored(dsn: str, *events: dict[str, object]) -> tuple[int, int]:
    """Store events of tenant 1; return the ids of the first one's provider and routed model."""
    async with connections.connected(dsn, "nocontent_writer") as writer:
        await batches.store(writer, [entry(*events)])
    async with operator(dsn) as owner:
        (row,) = await owner.fetch("SELECT provider, routed_model FROM nocontent.events LIMIT 1")
    return row["provider"], row["routed_model"]


async def computed(dsn: str) -> int:
    async with operator(dsn) as owner:
        assert await sums.stored(owner) == await sums.from_rows(owner)
        return int(await owner.fetchval("SELECT sum(computed_cost_nanousd) FROM nocontent.usage WHERE grain = 1"))


async def test_sums_follow_rates_that_are_set_ended_and_removed(
    database: str, control: Connection, biller: Connection
) -> None:
    place = Place(1, *await stored(database, sample.event(cost_nanousd=None, input_tokens=10, output_tokens=0)))
    await rollups.roll_up(biller)
    book = await computed(database)
    assert book > 0
    now = datetime.now(UTC)
    await prices.add(control, "prices.set", {place: [Offer(ALWAYS, FOREVER, ANY_SIZE, PartRates(7_000, 0, 0, 0, 0))]})
    assert (await rollups.roll_up(biller)).recomputed_hours > 0
    assert await computed(database) == 70
    assert await prices.end(control, place, now - timedelta(hours=2)) is not None
    await rollups.roll_up(biller)
    assert await computed(database) == book
    assert len(await prices.remove(control, place, None)) == 1
    await rollups.roll_up(biller)
    assert await computed(database) == book


async def test_only_hours_with_sums_of_the_model_are_summed_again(
    database: str, control: Connection, biller: Connection
) -> None:
    provider, model = await stored(database, sample.event())
    await rollups.roll_up(biller)
    offers = [Offer(ALWAYS, FOREVER, ANY_SIZE, FREE)]
    await prices.add(control, "prices.set", {Place(1, provider, model + 1): offers, Place(2, provider, model): offers})
    await prices.add(control, "prices.set", {Place(1, provider + 1, model): offers})
    past = datetime.now(UTC) - timedelta(days=2)
    await prices.add(control, "prices.set", {Place(1, provider, model): [Offer(ALWAYS, past, ANY_SIZE, FREE)]})
    async with operator(database) as owner:
        assert await owner.fetchval(_HOURS) == 0


async def test_a_change_waits_for_a_sum_at_the_old_price(
    database: str, control: Connection, biller: Connection
) -> None:
    """A sum in progress is not visible yet, so its hours would not be marked."""
    place = Place(1, *await stored(database, sample.event(cost_nanousd=None)))
    async with biller.transaction(isolation="repeatable_read"):
        await biller.execute("LOCK TABLE nocontent.prices IN ACCESS SHARE MODE")
        change = asyncio.create_task(
            prices.add(control, "prices.set", {place: [Offer(ALWAYS, FOREVER, ANY_SIZE, FREE)]})
        )
        assert await asyncio.wait([change], timeout=0.3) == (set(), {change})
    assert await change == 1


async def test_models_without_a_price_are_listed_with_their_events(
    database: str, control: Connection, biller: Connection
) -> None:
    events = [
        sample.event(cost_nanousd=None, cache_write_1h_tokens=5),
        sample.event(cost_nanousd=None),
        sample.event(cost_nanousd=7, cache_write_1h_tokens=5),
    ]
    provider, model = await stored(database, *events)
    only = PartRates(1, 1, 1, -1, 1)
    await prices.add(control, "prices.set", {Place(1, provider, model): [Offer(ALWAYS, FOREVER, ANY_SIZE, only)]})
    await rollups.roll_up(biller)
    async with connections.connected(database, "nocontent_usage_reader") as reader:
        assert await prices.unpriced(reader, 1) == [Unpriced(provider, model, 1, 1)]
        known = await prices.read_vocabularies(reader, 1)
    assert known.term(Kind.MODEL, known.find(Kind.MODEL, "claude-haiku-4-5")) == "claude-haiku-4-5"
