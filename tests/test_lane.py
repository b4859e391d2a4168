"""What is done one at a time and with rests between."""

import asyncio
import time
from functools import partial

import pytest

from ingest.lane import SHARE_MAX, Lane

WORK_S = 0.02


async def test_work_takes_no_more_than_its_share_of_the_time() -> None:
    lane = Lane()
    started = time.perf_counter()
    await asyncio.gather(*(lane.run(partial(time.sleep, WORK_S)) for _ in range(3)))
    # The first two are each followed by a rest; nobody waits for the third's.
    assert time.perf_counter() - started >= 3 * WORK_S + 2 * WORK_S * (1 / SHARE_MAX - 1)


async def test_whoever_comes_first_is_served_first_and_gets_its_own_result() -> None:
    lane = Lane()
    order: list[int] = []

    def work(number: int) -> int:
        order.append(number)
        return number

    assert await asyncio.gather(*(lane.run(partial(work, number)) for number in range(20))) == order


async def test_a_failure_is_its_callers_alone() -> None:
    lane = Lane()

    def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await lane.run(fail)
    assert await lane.run(lambda: "next") == "next"


async def test_others_go_on_while_the_lane_rests() -> None:
    lane = Lane()
    await lane.run(partial(time.sleep, WORK_S))
    waiting = asyncio.create_task(lane.run(lambda: None))
    rounds = 0
    while not waiting.done():
        await asyncio.sleep(0)
        rounds += 1
    assert rounds > 10
