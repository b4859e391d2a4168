"""Large bodies: no two are worked on in one round of the loop, and whoever sends refused ones waits, alone."""

import asyncio
import gzip
import itertools
import time
from collections import Counter
from collections.abc import Callable

import pytest
import zstandard

from ingest import large_bodies
from ingest.api import codings
from ingest.errors import BadEncoding, BodyTooLarge, Overloaded
from ingest.large_bodies import REST_S_MAX, SHARE_MAX, LargeBodies
from ingest.steps import Steps
from schema.decode import Refused
from schema.limits import BODY_BYTES_MAX

SPENT_S = 0.02


def spend(seconds: float = SPENT_S, note: Callable[[], None] = lambda: None) -> Steps[str]:
    note()
    ends_at = time.perf_counter() + seconds
    while time.perf_counter() < ends_at:
        pass
    yield
    return "made"


def refused(seconds: float = SPENT_S) -> Steps[str]:
    yield from spend(seconds)
    raise Refused


async def run(bodies: LargeBodies, tenant_id: int, steps: Steps[str]) -> str:
    async with bodies.work(tenant_id) as work:
        return await work.run(steps, is_last=True)


async def test_a_round_of_the_loop_has_one_step_however_many_bodies_came() -> None:
    bodies, rounds = LargeBodies(), 0
    seen: Counter[int] = Counter()

    async def count() -> None:
        nonlocal rounds
        while True:
            rounds += 1
            await asyncio.sleep(0)

    def steps() -> Steps[str]:
        for _ in range(4):
            seen[rounds] += 1
            yield
        return "made"

    counting = asyncio.create_task(count())
    assert await asyncio.gather(*(run(bodies, tenant, steps()) for tenant in (1, 1, 1, 2, 3))) == ["made"] * 5
    counting.cancel()
    assert set(seen.values()) == {1}
    assert sum(seen.values()) == 20


async def test_who_was_refused_rests_and_nobody_else() -> None:
    bodies, ended = LargeBodies(), list[int]()
    with pytest.raises(Refused):
        await run(bodies, 1, refused())
    began = time.perf_counter()

    async def again(tenant_id: int) -> None:
        await run(bodies, tenant_id, spend(0.0))
        ended.append(tenant_id)

    await asyncio.gather(again(1), again(2))
    assert ended == [2, 1]
    assert time.perf_counter() - began >= 0.9 * SPENT_S * (1 / SHARE_MAX - 1)


async def test_refused_bodies_have_their_share_of_the_time_together() -> None:
    bodies, began = LargeBodies(), time.perf_counter()
    ends = await asyncio.gather(*(run(bodies, 1, refused(0.01)) for _ in range(6)), return_exceptions=True)
    assert {type(end) for end in ends} == {Refused}
    assert time.perf_counter() - began >= 0.9 * 5 * 0.01 / SHARE_MAX  # The last one rests after its answer.


async def test_good_bodies_cost_no_rest() -> None:
    bodies, begun = LargeBodies(), list[float]()

    def note() -> None:
        begun.append(time.perf_counter())

    for _ in range(2):
        before = time.perf_counter()
        await run(bodies, 1, spend(0.0, note))
        assert begun[-1] >= before
    bodies.charge(2, SPENT_S)
    assert await asyncio.wait_for(run(bodies, 1, spend(0.0)), 5) == "made"


async def test_what_fails_after_its_turn_is_charged_too() -> None:
    bodies = LargeBodies()

    async def fail() -> None:
        async with bodies.work(1) as work:
            await work.run(spend(), is_last=True)
            raise Overloaded

    with pytest.raises(Overloaded):
        await fail()
    began = time.perf_counter()
    await run(bodies, 1, spend(0.0))
    assert time.perf_counter() - began >= 0.9 * SPENT_S * (1 / SHARE_MAX - 1)


async def test_a_body_rests_once_and_goes_on() -> None:
    bodies = LargeBodies()
    async with bodies.work(1) as work:
        assert await work.run(spend(), is_last=False) == "made"
        bodies.charge(1, 60.0)
        assert await asyncio.wait_for(work.run(spend(), is_last=True), REST_S_MAX / 2) == "made"


async def test_a_tenant_begins_no_other_body_before_the_first_is_through_and_others_do() -> None:
    bodies, ended = LargeBodies(), list[str]()

    async def another(tenant_id: int) -> None:
        await run(bodies, tenant_id, spend(0.0))
        ended.append(f"tenant {tenant_id}")

    async with bodies.work(1) as work:
        await work.run(spend(0.0), is_last=False)
        others = [asyncio.create_task(another(tenant)) for tenant in (1, 2)]
        await work.run((None for _ in range(9)), is_last=True)
        ended.append("first")
        await asyncio.gather(*others)
    assert ended == ["tenant 2", "first", "tenant 1"]


async def test_a_request_that_is_given_up_gives_its_turn_back() -> None:
    bodies = LargeBodies()

    async def forever() -> None:
        async with bodies.work(1) as work:
            await work.run(itertools.repeat(None), is_last=True)  # type: ignore[arg-type]

    given_up = asyncio.create_task(forever())
    await asyncio.sleep(0.01)
    given_up.cancel()
    await asyncio.gather(given_up, return_exceptions=True)
    for tenant_id in (1, 2):
        assert await asyncio.wait_for(run(bodies, tenant_id, spend(0.0)), 5) == "made"


async def test_a_rest_ends() -> None:
    bodies = LargeBodies()
    for _ in range(1_000):
        bodies.charge(1, 60.0)
    assert await asyncio.wait_for(run(bodies, 1, spend(0.0)), REST_S_MAX + 10) == "made"


async def test_too_many_at_once_are_told_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_bodies, "WAITING_MAX", 2)
    bodies = LargeBodies()
    ends = await asyncio.gather(*(run(bodies, 1, spend(0.001)) for _ in range(6)), return_exceptions=True)
    assert Counter(end if isinstance(end, str) else type(end).__name__ for end in ends) == {"made": 3, "Overloaded": 3}


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
async def test_what_stays_small_needs_no_turn(coding: codings.Coding) -> None:
    bodies = LargeBodies()
    compress = gzip.compress if coding == "gzip" else zstandard.compress
    async with bodies.work(2) as other, bodies.work(1) as work:
        await other.run(spend(0.0), is_last=False)  # And keeps the turn.
        assert await codings.decompressed(compress(b"{}"), coding, work) == b"{}"


@pytest.mark.parametrize(
    ("wire", "error"),
    [
        (gzip.compress(b" " * (BODY_BYTES_MAX + 1)), BodyTooLarge),
        (gzip.compress(b" " * BODY_BYTES_MAX)[:-9], BadEncoding),
    ],
)
async def test_a_bomb_costs_a_rest(wire: bytes, error: type[Exception]) -> None:
    bodies = LargeBodies()

    async def inflate() -> None:
        async with bodies.work(1) as work:
            await codings.decompressed(wire, "gzip", work)

    with pytest.raises(error):
        await inflate()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(run(bodies, 1, spend(0.0)), 0.001)
