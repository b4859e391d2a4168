"""Millions of fresh events through one process: its memory after the first million and at the end."""

import asyncio
import sys

from tqdm import tqdm

from tests.soak import flow, reckoning, vitals
from tests.soak.flow import Plan, Sending, Sent
from tests.soak.stage import Stage, staged
from tests.soak.vitals import MEGABYTE
from tests.support.customers import CustomerSpec

STEP = 1_000_000
BATCH_EVENTS = 1_000
CONNECTIONS = 8
GROWTH_MAX = 1.2
LOOK_S = 0.25


async def run(events: int) -> list[str]:
    """Send a number of events, print the measurements, and return the faults."""
    async with staged({"main": CustomerSpec()}, 1, {}, is_proxied=False) as stage:
        token = stage.customers["main"].token
        sending = flow.start(Plan(stage.server.bind, token, CONNECTIONS, BATCH_EVENTS, batches=events // BATCH_EVENTS))
        by_step = await _watch(sending, stage, events)
        sent = await sending.result()
        last_bytes = stage.workers.look()
        finds = [f"answered {face}, {count:,} times" for face, count in flow.faces(sent).items() if face != flow.STORED]
        finds += _say(sent, by_step, stage, await reckoning.reckon(stage.dsn, sent))
    stored = sum(each.events for each in flow.stored(sent))
    first_mb, last_mb = by_step[0] / MEGABYTE, last_bytes / MEGABYTE
    ratio = last_mb / first_mb
    first = "million" if _step(events) == STEP else f"{_step(events):,}"
    print(
        f"{stored:,} events, RSS {first_mb:.0f} MB after the first {first}, {last_mb:.0f} MB at the end,"
        f" ratio {ratio:.2f}x"
    )
    return [*finds, f"memory grew to {ratio:.2f} x"] if ratio > GROWTH_MAX else finds


def _step(events: int) -> int:
    """Return a million, or a quarter of less than four million."""
    return min(STEP, events // 4)


async def _watch(sending: Sending, stage: Stage, events: int) -> list[int]:
    """Look at the memory until everything is sent, and return the bytes after each step."""
    step = _step(events)
    found: list[int] = []
    with tqdm(total=events, unit="event", unit_scale=True, disable=not sys.stderr.isatty()) as bar:
        while not sending.is_over():
            rss_bytes = stage.workers.look()
            bar.update(sending.done - bar.n)
            if sending.done >= step * (len(found) + 1):
                found.append(rss_bytes)
            await asyncio.sleep(LOOK_S)
        bar.update(sending.done - bar.n)
    return found or [stage.workers.look()]


def _say(sent: list[Sent], by_step: list[int], stage: Stage, reckoned: reckoning.Reckoning) -> list[str]:
    seconds = max(each.answered_at for each in sent) - min(each.sent_at for each in sent)
    waits = vitals.spread([each.wait_s for each in sent])
    print(f"rate        {reckoned.acknowledged / seconds:,.0f} events/s for {seconds:.0f} s; answers {waits}")
    print(f"memory      MB at each step: {' '.join(f'{each / MEGABYTE:.0f}' for each in by_step)}")
    print(f"            at most {stage.workers.peak_bytes() / MEGABYTE:.0f} MB; {stage.workers.cpu_s():.0f} s of CPU")
    print(f"table       {reckoned}")
    finds = reckoned.finds()
    if reckoned.rows != reckoned.acknowledged:
        finds.append(f"{reckoned.rows:,} rows of {reckoned.acknowledged:,} acknowledged events")
    return finds
