"""Work in slices, with turns and rests between them."""

import asyncio
import time
from collections.abc import Iterator

import pytest

from ingest.errors import Overloaded
from ingest.intake.throttle import SHARE_MAX, SLICE_S, WAITING_MAX, Throttle

STEP_S = SLICE_S * 2


def steps(count: int, name: str, done: list[str]) -> Iterator[None]:
    """Take a slice for each step, and note each."""
    for _ in range(count):
        ends_at = time.thread_time() + STEP_S
        while time.thread_time() < ends_at:
            pass
        done.append(name)
        yield


async def test_work_takes_no_more_than_its_share_of_the_time() -> None:
    throttle, done = Throttle(), list[str]()
    started = time.perf_counter()
    await asyncio.gather(*(throttle.run(tenant, steps(2, "", done)) for tenant in range(2)))
    # Each of the first three slices is followed by a rest; nothing waits for the last one's.
    assert time.perf_counter() - started >= 4 * STEP_S + 3 * STEP_S * (1 / SHARE_MAX - 1)


async def test_within_a_tenant_the_first_to_come_is_served_to_its_end_first() -> None:
    throttle, done = Throttle(), list[str]()
    await asyncio.gather(*(throttle.run(1, steps(3, name, done)) for name in "abc"))
    assert "".join(done) == "aaabbbccc"


async def test_tenants_take_turns_a_slice_each() -> None:
    throttle, done = Throttle(), list[str]()
    flood = [throttle.run(1, steps(4, "f", done)) for _ in range(WAITING_MAX)]
    await asyncio.gather(*flood, throttle.run(2, steps(2, "a", done)), throttle.run(3, steps(2, "b", done)))
    assert "".join(done[:6]) == "fabfab"


async def test_a_tenant_has_only_so_many_waiting() -> None:
    throttle, done = Throttle(), list[str]()
    waiting = [asyncio.create_task(throttle.run(1, steps(1, "w", done))) for _ in range(WAITING_MAX + 1)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await throttle.run(1, steps(1, "x", done))
    await throttle.run(2, steps(1, "other", done))
    await asyncio.gather(*waiting)
    assert "x" not in done


async def test_a_failure_is_its_callers_alone() -> None:
    throttle, done = Throttle(), list[str]()

    def fail() -> Iterator[None]:
        yield
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await throttle.run(1, fail())
    await throttle.run(1, steps(1, "next", done))
    assert done == ["next"]


async def test_whoever_gives_up_waiting_leaves_the_throttle_to_the_others() -> None:
    throttle, done = Throttle(), list[str]()
    running = [asyncio.create_task(throttle.run(tenant, steps(3, str(tenant), done))) for tenant in (1, 2, 2, 3)]
    await asyncio.sleep(STEP_S * 1.5)
    for each in running[:3]:
        each.cancel()
    await running[3]
    assert done.count("3") == 3
    await throttle.run(2, steps(1, "after", done))


async def test_others_go_on_while_the_throttle_rests() -> None:
    throttle, done = Throttle(), list[str]()
    await throttle.run(1, steps(1, "", done))
    waiting = asyncio.create_task(throttle.run(1, steps(1, "", done)))
    rounds = 0
    while not waiting.done():
        await asyncio.sleep(0)
        rounds += 1
    assert rounds > 10
