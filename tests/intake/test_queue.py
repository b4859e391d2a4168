"""The queue before the writer: bounds (`overloaded`), turns, and its end (`stopping`)."""

import asyncio
from collections.abc import Iterator
from itertools import count
from uuid import UUID

import pytest

from ingest import errors
from ingest.intake import queue
from ingest.intake.queue import GROUP_ROWS_MAX, ROWS_MAX, TENANT_ROWS_MAX, Queue
from ingest.store.batches import Entry
from schema.limits import EVENTS_MAX

_numbers: Iterator[int] = count()


def entry(tenant_id: int, events: int = 1, size: int = 0) -> Entry:
    made = UUID(int=next(_numbers))
    return Entry(tenant_id, made, -1, made, events, 0, (0, 0, 0, 0), bytes(size))


async def taken(waiting: Queue) -> list[int]:
    return [each.entry.tenant_id for each in await waiting.take()]


async def test_a_tenant_is_overloaded_at_half_of_the_room() -> None:
    waiting = Queue()
    for _ in range(TENANT_ROWS_MAX // EVENTS_MAX):
        waiting.put(entry(1, EVENTS_MAX))
    with pytest.raises(errors.Overloaded):
        waiting.put(entry(1))
    waiting.put(entry(2, EVENTS_MAX))


async def test_all_tenants_together_are_overloaded_at_the_whole_room() -> None:
    waiting = Queue()
    for place in range(ROWS_MAX // EVENTS_MAX):
        waiting.put(entry(place, EVENTS_MAX))
    with pytest.raises(errors.Overloaded):
        waiting.put(entry(999))
    assert waiting.rows == ROWS_MAX


async def test_bytes_have_a_bound_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "BYTES_MAX", 1_000)
    waiting = Queue()
    waiting.put(entry(1, size=600))
    with pytest.raises(errors.Overloaded):
        waiting.put(entry(2, size=401))
    waiting.put(entry(2, size=400))


async def test_a_refused_entry_takes_no_room() -> None:
    waiting = Queue()
    for _ in range(TENANT_ROWS_MAX // EVENTS_MAX):
        waiting.put(entry(1, EVENTS_MAX))
    for _ in range(1_000):
        with pytest.raises(errors.Overloaded):
            waiting.put(entry(1, EVENTS_MAX))
    assert waiting.rows == TENANT_ROWS_MAX


async def test_what_is_taken_makes_room() -> None:
    waiting = Queue()
    for _ in range(TENANT_ROWS_MAX // EVENTS_MAX):
        waiting.put(entry(1, EVENTS_MAX, 10))
    while waiting.rows:
        await waiting.take()
    assert (waiting.rows, waiting.bytes) == (0, 0)
    waiting.put(entry(1, EVENTS_MAX))


async def test_tenants_take_turns() -> None:
    waiting = Queue()
    for tenant_id in (1, 1, 1, 1, 2, 2, 3):
        waiting.put(entry(tenant_id))
    assert await taken(waiting) == [1, 2, 3, 1, 2, 1, 1]


async def test_a_flood_of_one_tenant_does_not_delay_another() -> None:
    waiting = Queue()
    for _ in range(20):
        waiting.put(entry(1, EVENTS_MAX))
    waiting.put(entry(2))
    assert 2 in await taken(waiting)


async def test_a_tenant_keeps_the_order_of_its_batches() -> None:
    waiting = Queue()
    sent = [waiting.put(entry(1, EVENTS_MAX)) for _ in range(9)]
    got = []
    while waiting.rows:
        got += [each.receipt for each in await waiting.take()]
    assert got == sent


async def test_a_group_is_bounded_in_rows() -> None:
    waiting = Queue()
    for place in range(40):
        waiting.put(entry(place % 7, 1_000))
    while waiting.rows:
        group = await waiting.take()
        assert 0 < sum(each.entry.events for each in group) <= GROUP_ROWS_MAX


async def test_taking_waits_for_the_first_entry() -> None:
    waiting = Queue()
    taking = asyncio.create_task(waiting.take())
    await asyncio.sleep(0)
    assert not taking.done()
    waiting.put(entry(1))
    assert len(await asyncio.wait_for(taking, 1)) == 1


async def test_a_closed_queue_gives_what_it_has_and_then_nothing() -> None:
    waiting = Queue()
    waiting.put(entry(1))
    waiting.close()
    with pytest.raises(errors.Stopping):
        waiting.put(entry(1))
    assert await taken(waiting) == [1]
    assert await taken(waiting) == []


async def test_closing_ends_every_wait() -> None:
    waiting = Queue()
    takers = [asyncio.create_task(waiting.take()) for _ in range(2)]
    await asyncio.sleep(0)
    waiting.close()
    assert await asyncio.wait_for(asyncio.gather(*takers), 1) == [[], []]


async def test_the_age_is_that_of_the_first_to_come_whatever_its_tenant() -> None:
    waiting = Queue()
    assert waiting.age_s == 0
    waiting.put(entry(1, EVENTS_MAX))
    await asyncio.sleep(0.05)
    waiting.put(entry(2, EVENTS_MAX))
    assert 0.05 <= waiting.age_s < 5
    assert await taken(waiting) == [1]
    assert waiting.age_s < 0.05
    assert await taken(waiting) == [2]
    assert waiting.age_s == 0
