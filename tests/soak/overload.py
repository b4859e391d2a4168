"""More load than the service can handle, a database that is away, and a tenant that takes everything."""

import asyncio
import contextlib
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager

from tqdm import tqdm

from ingest.intake import queue
from ingest.serving import body_memory
from tests.soak import flow, reckoning, vitals
from tests.soak.flow import Plan, Sending, Sent
from tests.soak.stage import Stage, staged
from tests.soak.vitals import MEGABYTE
from tests.support import postmaster
from tests.support.counts import listed
from tests.support.customers import CustomerSpec

CAPACITY_S = 10.0
BATCH_EVENTS = 1_000
CONNECTIONS = 16  # Enough to keep the service busy,
CROWD = 256  # and enough to fill its queue: a tenant's half has room for 100 such batches.
GOODPUT_MIN = 0.5  # Of the capacity. The aim is 0.7; sender and PostgreSQL share the cores, so the gate is looser.
GROWTH_MAX = 1.2  # Of the memory, from the first third of the trouble to the last.
BEFORE_S, AFTER_S = 10.0, 30.0
RECOVERY_S_MAX = 15.0
WHOLE = 0.9  # Of the rate.
SMALL_EVENTS, SMALL_EVERY_S = 10, 0.05
LOOK_S = 0.25
HELD_BYTES_MAX = queue.BYTES_MAX + body_memory.BYTES_MAX  # What a worker may hold of batches at once.
# What a connection may hold beside that: ten parts of a body that wait for the application, and two being read.
CONNECTION_BYTES_MAX = 12 * 65_536


async def flood(seconds: float) -> list[str]:
    """Offer twice the rate that was stored when each sender waited for its responses."""
    async with staged({"main": CustomerSpec()}, 1, {}, is_proxied=False) as stage:
        first, capacity = await _measure(stage)
        plan = Plan(
            stage.server.bind, stage.customers["main"].token, CROWD, BATCH_EVENTS, 2 * capacity / BATCH_EVENTS,
            seconds=seconds,
        )  # fmt: skip
        quiet_bytes, began_at = stage.workers.look(), time.monotonic()
        sending = flow.start(plan)
        await _watch(sending, stage, "flood", seconds)
        sent = await sending.result()
        took_s = max(each.answered_at for each in sent) - sent[0].sent_at
        good, offered = _events(flow.stored(sent)) / took_s, _events(sent) / took_s
        print(f"capacity    {capacity:,.0f} events/s over {CONNECTIONS} connections for {CAPACITY_S:.0f} s")
        print(f"flood       {offered:,.0f} events/s offered over {CROWD} connections for {took_s:.0f} s")
        print(f"goodput     {good:,.0f} events/s, {good / capacity:.2f} x the capacity")
        finds = _faces(sent) + _memory(stage, quiet_bytes, began_at, began_at + seconds)
        if good < GOODPUT_MIN * capacity:
            finds.append(f"goodput of {good / capacity:.2f} x the capacity")
        return finds + await _losses(stage, *first, *sent)


async def paused(seconds: float) -> list[str]:
    """Freeze PostgreSQL under load, so that nothing responds."""

    @contextlib.asynccontextmanager
    async def pause(stage: Stage) -> AsyncIterator[None]:
        with postmaster.frozen(stage.postmaster):
            yield

    return await _away("paused", seconds, pause, is_proxied=False)


async def refused(seconds: float) -> list[str]:
    """Refuse new connections to PostgreSQL, and cut the existing ones."""

    @contextlib.asynccontextmanager
    async def refuse(stage: Stage) -> AsyncIterator[None]:
        await stage.proxy.refuse()
        yield
        await stage.proxy.open()

    return await _away("refused", seconds, refuse, is_proxied=True)


_Trouble = Callable[[Stage], AbstractAsyncContextManager[None]]


async def _away(name: str, seconds: float, trouble: _Trouble, *, is_proxied: bool) -> list[str]:
    async with staged({"main": CustomerSpec()}, 1, {}, is_proxied=is_proxied) as stage:
        first, capacity = await _measure(stage)
        rate = capacity / 2 / BATCH_EVENTS
        sending = flow.start(Plan(stage.server.bind, stage.customers["main"].token, CROWD, BATCH_EVENTS, rate))
        await _watch(sending, stage, "before", BEFORE_S)
        quiet_bytes, began_at = stage.workers.look(), time.monotonic()
        async with trouble(stage):
            await _watch(sending, stage, name, seconds)
            ended_at = time.monotonic()
        await _watch(sending, stage, "after", AFTER_S)
        sending.end()
        sent = await sending.result()
        print(f"{name:11} {rate * BATCH_EVENTS:,.0f} events/s offered over {CROWD} connections; away {seconds:.0f} s")
        finds = _faces([each for each in sent if began_at < each.answered_at and each.sent_at < ended_at])
        finds += _recovery(sent, ended_at, rate) + _memory(stage, quiet_bytes, began_at, ended_at)
        return finds + _unexpected(sent) + await _losses(stage, *first, *sent)


async def fairness(seconds: float) -> list[str]:
    """Measure a tenant's small batches, alone and while another tenant floods."""
    async with staged({"loud": CustomerSpec(), "modest": CustomerSpec()}, 1, {}, is_proxied=False) as stage:
        bind, rate = stage.server.bind, 1 / SMALL_EVERY_S
        small = Plan(bind, stage.customers["modest"].token, CONNECTIONS, SMALL_EVENTS, rate, seconds=seconds)
        quiet = flow.start(small)
        await _watch(quiet, stage, "quiet", seconds)
        alone = await quiet.result()
        loud = flow.start(Plan(bind, stage.customers["loud"].token, 2 * CONNECTIONS, BATCH_EVENTS))
        await vitals.until(lambda: loud.is_over() or loud.done > 0, RECOVERY_S_MAX)
        beside = flow.start(small)
        await _watch(beside, stage, "fairness", seconds)
        among = await beside.result()
        loud.end()
        flooded = await loud.result()
        lost = await _losses(stage, *alone, *among, *flooded)
    flood_rate = _events(flow.stored(flooded)) / (flooded[-1].answered_at - flooded[0].sent_at)
    print(f"fairness    {SMALL_EVENTS} events every {SMALL_EVERY_S * 1e3:.0f} ms, alone: {_spread(alone)}")
    print(f"            beside {flood_rate:,.0f} events/s of another tenant: {_spread(among)}")
    print(f"answers     {listed(flow.faces(among))}; of the other tenant {listed(flow.faces(flooded))}")
    turned_away = len(among) - len(flow.stored(among))
    finds = [f"{turned_away:,} batches of the modest tenant turned away"] if turned_away else []
    return finds + _unexpected(flooded) + lost


PARTS: Mapping[str, Callable[[float], Awaitable[list[str]]]] = {
    "flood": flood, "paused": paused, "refused": refused, "fairness": fairness
}  # fmt: skip


async def run(parts: Sequence[str], seconds: float) -> list[str]:
    """Run one after another, print the measurements, and return the faults."""
    finds = []
    for part in parts:
        finds += [f"{part}: {find}" for find in await PARTS[part](seconds)]
    print(f"overload: {len(parts)} parts, {len(finds)} finds")
    return finds


async def _measure(stage: Stage) -> tuple[list[Sent], float]:
    """Run senders that wait for their responses, and return the batches and the events stored per second."""
    token = stage.customers["main"].token
    sending = flow.start(Plan(stage.server.bind, token, CONNECTIONS, BATCH_EVENTS, seconds=CAPACITY_S))
    await _watch(sending, stage, "capacity", CAPACITY_S)
    sent = await sending.result()
    return sent, _events(flow.stored(sent)) / (max(each.answered_at for each in sent) - sent[0].sent_at)


async def _watch(sending: Sending, stage: Stage, says: str, seconds: float) -> None:
    """Watch the memory for some seconds, or until everything is sent and answered."""
    began_at, whole = time.monotonic(), round(seconds)
    with tqdm(total=whole, desc=says, unit="s", disable=not sys.stderr.isatty()) as bar:
        while not sending.is_over() and (gone_s := time.monotonic() - began_at) < seconds:
            stage.workers.look()
            bar.update(min(whole, int(gone_s)) - bar.n)
            await asyncio.sleep(LOOK_S)
        bar.update(whole - bar.n)


def _faces(sent: Sequence[Sent]) -> list[str]:
    waits = vitals.spread([each.answered_at - each.sent_at for each in sent])
    print(f"answers     {listed(flow.faces(sent))}; {waits} after sending")
    return _unexpected(sent)


def _unexpected(sent: Sequence[Sent]) -> list[str]:
    return [f"answered {face}, {count:,} times" for face, count in flow.unexpected(sent).items()]


def _recovery(sent: Sequence[Sent], ended_at: float, rate: float) -> list[str]:
    """Return the time from the end of the trouble to the first stored batch, and to the full rate."""
    after = sorted(each.answered_at - ended_at for each in flow.stored(sent) if each.answered_at > ended_at)
    by_second = Counter(int(at_s) for at_s in after)
    whole_s = next((second for second in range(int(AFTER_S)) if by_second[second] >= WHOLE * rate), AFTER_S)
    first_s = after[0] if after else AFTER_S
    print(f"recovery    first batch stored after {first_s:.2f} s, the whole rate in second {whole_s:.0f}")
    return [f"it took {whole_s:.0f} s to come back"] if max(first_s, whole_s) > RECOVERY_S_MAX else []


def _memory(stage: Stage, quiet_bytes: int, from_at: float, to_at: float) -> list[str]:
    """Compare the memory in the last third of the trouble with the first, and all of it with its bound."""
    third = (to_at - from_at) / 3
    early = stage.workers.most_bytes(from_at, from_at + third)
    late = stage.workers.most_bytes(to_at - third, to_at)
    after, peak = stage.workers.look(), stage.workers.peak_bytes()
    shown = ", ".join(
        f"{name} {size / MEGABYTE:.0f}"
        for name, size in {"before": quiet_bytes, "first third": early, "last third": late, "after": after}.items()
    )
    print(f"memory      MB {shown}, at most {peak / MEGABYTE:.0f}; last third by first {late / early:.2f}")
    finds = [f"memory grew to {late / early:.2f} x"] if late > GROWTH_MAX * early else []
    if peak - quiet_bytes > HELD_BYTES_MAX + CROWD * CONNECTION_BYTES_MAX:
        finds.append(f"memory grew by {(peak - quiet_bytes) / MEGABYTE:.0f} MB, over what may be held")
    return finds


async def _losses(stage: Stage, *sent: Sent) -> list[str]:
    reckoned = await reckoning.reckon(stage.dsn, sent)
    print(f"table       {reckoned}")
    return reckoned.finds()


def _events(sent: Sequence[Sent]) -> int:
    return sum(each.events for each in sent)


def _spread(sent: Sequence[Sent]) -> vitals.Spread:
    return vitals.spread([each.wait_s for each in sent])
