"""Rolling up: whatever happened before, the sums are those of the rows."""

import asyncio
from datetime import UTC, datetime

import pytest

from ingest.store import batches, connections
from ingest.store.connections import Connection
from ingest.store.usage import rollups
from ingest.store.usage.rollups import Conflict, Rolled
from tests.support import sample, sums
from tests.support.entries import entry


async def _is_exact(connection: Connection) -> bool:
    return await sums.stored(connection) == await sums.from_rows(connection)


async def test_rows_are_added_once(writer: Connection, biller: Connection) -> None:
    known = sample.event()
    await batches.store(writer, [entry(known, sample.event(), tenant_id=2), entry()])
    first = await rollups.roll_up(biller)
    assert (first.events, first.recomputed_hours, first.is_done) == (3, 0, True)
    assert await _is_exact(biller)
    await batches.store_skipping(writer, [entry(known, sample.event(ttft_ms=None), tenant_id=2)])
    assert (await rollups.roll_up(biller)).events == 1
    assert (await rollups.roll_up(biller)).events == 0
    assert await _is_exact(biller)


async def _rolled_up(biller: Connection) -> int:
    """Roll up all there is; return the hours that were summed again."""
    recomputed = 0
    while True:
        rolled = await rollups.roll_up(biller)
        recomputed += rolled.recomputed_hours
        if rolled.is_done:
            return recomputed


async def test_rows_of_a_restored_dump_are_summed_by_hours(
    writer: Connection, biller: Connection, owner: Connection
) -> None:
    await batches.store(writer, [entry(sample.event(), sample.event())])
    await owner.execute("UPDATE nocontent.events SET outcome = outcome")  # Its rows have other transaction ids.
    assert await _rolled_up(biller) == 1
    assert await _is_exact(biller)


async def test_an_open_transaction_is_added_when_it_has_committed(
    writer: Connection, biller: Connection, owner: Connection, database: str
) -> None:
    async with connections.connected(database, "nocontent_writer") as slow:
        transaction = slow.transaction()
        await transaction.start()
        late = entry(sample.event(), tenant_id=2)
        await batches._copy(slow, await batches._enter(slow, [late]))  # noqa: SLF001 (`store` commits at once)
        await batches.store(writer, [entry(sample.event(), tenant_id=2)])
        assert (await rollups.roll_up(biller)).events == 1
        await transaction.commit()
    assert (await rollups.roll_up(biller)).events == 1
    assert await _is_exact(owner)


async def test_of_two_roll_ups_at_once_one_conflicts_and_nothing_is_added_twice(
    writer: Connection, biller: Connection, database: str
) -> None:
    await batches.store(writer, [entry(sample.event()) for _ in range(3)])
    async with connections.connected(database, "nocontent_biller") as other:
        ended = await asyncio.gather(rollups.roll_up(biller), rollups.roll_up(other), return_exceptions=True)
    assert {type(one) for one in ended} <= {Rolled, Conflict}
    assert await _rolled_up(biller) == 0
    assert await _is_exact(biller)


_EVER = "INSERT INTO nocontent.usage_marks (tenant_id, first, last, events) VALUES ($1, '-infinity', 'infinity', 0)"


async def test_a_mark_without_end_sums_every_day_again(
    writer: Connection, biller: Connection, owner: Connection
) -> None:
    for age in (0, 1, 4):
        at_ms = sample.now_ms() - age * sample.DAY_MS
        await batches.store(writer, [entry({**sample.event(), "event_id": sample.uuid7(at_ms)})])
    await _rolled_up(biller)
    await owner.execute("UPDATE nocontent.usage SET events = events + 1")
    await owner.execute(_EVER, 1)
    assert await _rolled_up(biller) == 3
    assert await _is_exact(biller)


_PRICE = """
INSERT INTO nocontent.prices (tenant_id, provider, model, since, until, from_minute, before_minute, input_tokens_above,
    input_tokens_up_to, input_picousd, output_picousd, cache_read_picousd, cache_write_5m_picousd,
    cache_write_1h_picousd, revision)
SELECT $1, provider, routed_model, $2, 'infinity', $3, $4, $5, $6, $7, $8, -1, -1, -1, 0 FROM nocontent.events LIMIT 1
"""
_FREE = {"cost_nanousd": None, "baseline_cost_nanousd": None, "requested_model": "claude-haiku-4-5"}
_ALL_DAY = (0, 1440)
_ANY_INPUT = (-1, 2**31 - 1)


@pytest.mark.parametrize(
    ("prices", "nanousd"),
    [
        ([], None),
        ([(0, *_ALL_DAY, *_ANY_INPUT, 1_000_000, 5_000_000)], 812_000 + 480_000),
        ([(0, *_ALL_DAY, *_ANY_INPUT, 1_001, 0)], 813),  # 812,812 picousd, rounded.
        ([(0, *_ALL_DAY, -1, 811, 1, 1), (0, *_ALL_DAY, 811, 2**31 - 1, 2_000_000, 0)], 1_624_000),
        ([(0, *_ALL_DAY, -1, 812, 2_000_000, 0), (0, *_ALL_DAY, 812, 2**31 - 1, 1, 1)], 1_624_000),
        ([(0, *_ALL_DAY, *_ANY_INPUT, 1, 1), (1, *_ALL_DAY, *_ANY_INPUT, 3_000_000, 0)], 2_436_000),
        ([(0, *_ALL_DAY, *_ANY_INPUT, 1_000_000, -1)], None),  # Tokens of a part without a rate.
        ([(2, *_ALL_DAY, *_ANY_INPUT, 1_000_000, 0)], None),  # Another tenant's.
        ([(0, 0, 720, *_ANY_INPUT, 1_000_000, 0), (0, 720, 1440, *_ANY_INPUT, 1_000_000, 0)], 812_000),
    ],
)
async def test_an_event_without_a_cost_has_the_price_of_its_time_and_size(
    writer: Connection, biller: Connection, owner: Connection, prices: list[tuple[int, ...]], nanousd: int | None
) -> None:
    await batches.store(writer, [entry(sample.event(**_FREE))])
    await owner.execute("DELETE FROM nocontent.prices")
    for tenant_id, *values in prices:
        await owner.execute(_PRICE, tenant_id, datetime(2026, 1, 1, tzinfo=UTC), *values)
    await _rolled_up(biller)
    (row,) = await biller.fetch("SELECT * FROM nocontent.usage WHERE grain = 1")
    found = (row["computed_cost_events"], row["computed_cost_nanousd"], row["unpriced_events"])
    assert found == ((0, 0, 1) if nanousd is None else (1, nanousd, 0))
    assert await _is_exact(biller)


@pytest.mark.parametrize(
    ("cost", "mismatch"), [(812_000, 0), (820_120, 0), (820_121, 8_121), (803_879, -8_121), (0, -812_000)]
)
async def test_a_reported_cost_may_be_one_percent_off(
    writer: Connection, biller: Connection, owner: Connection, cost: int, mismatch: int
) -> None:
    await batches.store(writer, [entry(sample.event(cost_nanousd=cost))])
    await owner.execute("DELETE FROM nocontent.prices")
    await owner.execute(_PRICE, 0, datetime(2026, 1, 1, tzinfo=UTC), *_ALL_DAY, *_ANY_INPUT, 1_000_000, 0)
    await _rolled_up(biller)
    (row,) = await biller.fetch("SELECT * FROM nocontent.usage WHERE grain = 1")
    assert (row["checked_list_cost_nanousd"], row["mismatch_nanousd"]) == (812_000, mismatch)
    assert row["mismatched_events"] == (mismatch != 0)
    assert await _is_exact(biller)


async def test_the_view_shows_what_is_pending_and_no_difference(writer: Connection, biller: Connection) -> None:
    view = "SELECT stored, rolled_up, pending, difference, cost_difference_nanousd FROM nocontent.usage_reconciliation"
    await batches.store(writer, [entry(sample.event(), sample.event())])
    assert [tuple(row) for row in await biller.fetch(view)] == [(2, 0, 2, 0, None)]
    await _rolled_up(biller)
    assert [tuple(row) for row in await biller.fetch(view)] == [(2, 2, 0, 0, 0)]
