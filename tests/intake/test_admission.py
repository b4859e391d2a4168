"""Admission to the queue: who waits (`overloaded`, `stopping`), and who is admitted first."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from itertools import count
from uuid import UUID

import pytest

from ingest import errors
from ingest.intake import admission
from ingest.intake.admission import ADMITTED_MAX
from ingest.intake.errors import Malformed
from ingest.intake.queue import TENANT_ROWS_MAX, Queue
from ingest.store.batches import Entry
from schema.limits import EVENTS_MAX

_numbers: Iterator[int] = count()


def entry(tenant_id: int, events: int) -> Entry:
    made = UUID(int=next(_numbers))
    return Entry(tenant_id, made, -1, made, events, 0, (0, 0, 0, 0), b"")


def full(tenant_id: int = 1) -> Queue:
    waiting = Queue()
    for _ in range(TENANT_ROWS_MAX // EVENTS_MAX):
        waiting.put(entry(tenant_id, EVENTS_MAX))
    assert waiting.is_full(tenant_id)
    return waiting


async def sends(waiting: Queue, sent: list[int], number: int, tenant_id: int = 1) -> None:
    async with waiting.admission.admitted(tenant_id):
        waiting.put(entry(tenant_id, EVENTS_MAX))
        sent.append(number)


async def test_waiters_are_admitted_in_order_and_only_if_there_is_room() -> None:
    waiting, sent = full(), list[int]()
    async with asyncio.TaskGroup() as group:
        for number in range(30):
            group.create_task(sends(waiting, sent, number))
        while len(sent) < 30:
            await waiting.take()
            await asyncio.sleep(0.001)
            assert waiting.rows <= TENANT_ROWS_MAX
    assert sent == list(range(30))
    assert 1 not in waiting.admission


async def test_a_waiter_without_room_is_refused_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "WAIT_S", 0.05)
    waiting = full()
    with pytest.raises(errors.Overloaded):
        await sends(waiting, [], 0)
    await waiting.take()
    assert not waiting.is_full(1)


async def test_an_admitted_sender_without_a_batch_makes_room_for_the_next() -> None:
    waiting, sent = full(), list[int]()

    async def fails() -> None:
        with pytest.raises(Malformed):
            async with waiting.admission.admitted(1):
                raise Malformed(())

    async with asyncio.TaskGroup() as group:
        for _ in range(5):
            group.create_task(fails())
        group.create_task(sends(waiting, sent, 0))
        await asyncio.sleep(0)
        await waiting.take()
    assert sent == [0]


async def test_a_cancelled_waiter_is_removed() -> None:
    waiting = full()
    gone = asyncio.create_task(sends(waiting, [], 0))
    await asyncio.sleep(0)
    assert 1 in waiting.admission
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    assert 1 not in waiting.admission


async def test_a_slow_tenant_delays_only_itself() -> None:
    waiting = full()
    admitted = 0

    async def dawdle() -> None:
        nonlocal admitted
        async with waiting.admission.admitted(1):
            admitted += 1
            await asyncio.Event().wait()

    slow = [asyncio.create_task(dawdle()) for _ in range(2 * ADMITTED_MAX)]
    await asyncio.sleep(0)
    while waiting.rows:
        await waiting.take()
    await asyncio.sleep(0)
    assert admitted == ADMITTED_MAX
    assert not waiting.is_full(2)
    for task in slow:
        task.cancel()
    await asyncio.wait(slow)
    assert 1 not in waiting.admission


async def test_room_left_by_one_tenant_goes_to_another() -> None:
    waiting, sent = full(1), list[int]()
    for _ in range(TENANT_ROWS_MAX // EVENTS_MAX):
        waiting.put(entry(2, EVENTS_MAX))
    assert waiting.is_full(3)
    third = asyncio.create_task(sends(waiting, sent, 3, tenant_id=3))
    await asyncio.sleep(0)
    await waiting.take()
    await third
    assert sent == [3]


async def test_close_refuses_every_waiter() -> None:
    waiting = full()
    async with AsyncExitStack() as ends:
        ends.enter_context(pytest.raises(errors.Stopping))
        task = asyncio.create_task(sends(waiting, [], 0))
        await asyncio.sleep(0)
        waiting.close()
        await task
