"""Large bodies: the loop never works on two in one round, and only senders of refused ones wait."""

import asyncio
import gzip
import itertools
import time
from collections import Counter
from collections.abc import Callable

import pytest
import zstandard

from ingest.errors import Overloaded
from ingest.intake import large_bodies
from ingest.intake.large_bodies import REST_S_MAX, SHARE_MAX, LargeBodies
from ingest.serving import codings
from ingest.serving.errors import BadEncoding, BodyTooLarge
from ingest.serving.steps import Steps
from schema.decode import Refused
from schema.limits import BODY_BYTES_MAX
from tests.support.rounds import counted

SPENT_S = 0.02


def spend(seconds: float = SPENT_S, note: Callable[[], None] = lambda: None) -> Steps[bytes]:
    note()
    ends_at = time.thread_time() + seconds
    while time.thread_time() < ends_at:
        pass
    yield
    return b"made"


def refused(seconds: float = SPENT_S) -> Steps[bytes]:
    yield from spend(seconds)
    raise Refused


async def run(bodies: LargeBodies, tenant_id: int, steps: Steps[bytes]) -> bytes:
    async with bodies.work(tenant_id) as work:
        return await work.decode(steps)


async def test_a_round_of_the_loop_has_one_step_however_many_bodies_came() -> None:
    bodies, seen = LargeBodies(), Counter[int]()
    async with counted() as rounds:

        def steps() -> Steps[bytes]:
            for _ in range(4):
                seen[rounds.count] += 1
                yield
            return b"made"

        assert await asyncio.gather(*(run(bodies, tenant, steps()) for tenant in (1, 1, 1, 2, 3))) == [b"made"] * 5
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
    assert await asyncio.wait_for(run(bodies, 1, spend(0.0)), 5) == b"made"


async def test_a_good_body_that_takes_longer_than_its_events_deserve_costs_a_rest() -> None:
    bodies = LargeBodies()
    for events, spent_s in ((5_000, 0.0), (1, SPENT_S)):
        async with bodies.work(1) as work:
            await work.decode(spend())
            work.settle(events)
        began = time.perf_counter()
        await run(bodies, 1, spend(0.0))
        assert time.perf_counter() - began >= 0.7 * spent_s * (1 / SHARE_MAX - 1)


async def test_what_fails_after_its_turn_is_charged_too() -> None:
    bodies = LargeBodies()

    async def fail() -> None:
        async with bodies.work(1) as work:
            await work.decode(spend())
            raise Overloaded

    with pytest.raises(Overloaded):
        await fail()
    began = time.perf_counter()
    await run(bodies, 1, spend(0.0))
    assert time.perf_counter() - began >= 0.9 * SPENT_S * (1 / SHARE_MAX - 1)


async def test_a_body_rests_once_and_goes_on() -> None:
    bodies = LargeBodies()
    async with bodies.work(1) as work:
        assert await work.inflate(spend()) == b"made"
        bodies.charge(1, 60.0)
        assert await asyncio.wait_for(work.decode(spend()), REST_S_MAX / 2) == b"made"


async def test_a_tenant_begins_no_other_body_before_the_first_is_through_and_others_do() -> None:
    bodies, ended = LargeBodies(), list[str]()

    async def another(tenant_id: int) -> None:
        await run(bodies, tenant_id, spend(0.0))
        ended.append(f"tenant {tenant_id}")

    async with bodies.work(1) as work:
        await work.inflate(spend(0.0))
        others = [asyncio.create_task(another(tenant)) for tenant in (1, 2)]
        await work.decode(None for _ in range(9))
        ended.append("first")
        await asyncio.gather(*others)
    assert ended == ["tenant 2", "first", "tenant 1"]


async def test_a_request_that_is_given_up_gives_its_turn_back() -> None:
    bodies = LargeBodies()

    async def forever() -> None:
        async with bodies.work(1) as work:
            await work.decode(itertools.repeat(None))  # type: ignore[arg-type]  # Steps without an end.

    given_up = asyncio.create_task(forever())
    await asyncio.sleep(0.01)
    given_up.cancel()
    await asyncio.gather(given_up, return_exceptions=True)
    for tenant_id in (1, 2):
        assert await asyncio.wait_for(run(bodies, tenant_id, spend(0.0)), 5) == b"made"


async def test_a_rest_ends() -> None:
    bodies = LargeBodies()
    for _ in range(1_000):
        bodies.charge(1, 60.0)
    assert await asyncio.wait_for(run(bodies, 1, spend(0.0)), REST_S_MAX + 10) == b"made"


async def test_too_many_at_once_are_told_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_bodies, "WAITING_MAX", 2)
    bodies = LargeBodies()
    ends = await asyncio.gather(*(run(bodies, 1, spend(0.001)) for _ in range(6)), return_exceptions=True)
    assert Counter(type(end) for end in ends) == {bytes: 3, Overloaded: 3}


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
async def test_what_stays_small_needs_no_turn(coding: codings.Coding) -> None:
    bodies = LargeBodies()
    compress = gzip.compress if coding == "gzip" else zstandard.compress
    async with bodies.work(2) as other, bodies.work(1) as work:
        await other.inflate(spend(0.0))  # And keeps the turn.
        assert await codings.decompressed(compress(b"{}"), coding, work.inflate) == b"{}"


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
            await codings.decompressed(wire, "gzip", work.inflate)

    with pytest.raises(error):
        await inflate()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(run(bodies, 1, spend(0.0)), 0.001)
