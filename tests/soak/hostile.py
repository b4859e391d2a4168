"""Honest senders beside hostile ones: the cost of each attack to them, and its leftovers.

PostgreSQL runs without fsync: the honest are to wait for the service, not for a disk that others use too.
"""

import asyncio
import contextlib
import re
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tqdm import tqdm

from ingest.intake import queue
from ingest.serving import body_memory
from tests.soak import attacks, flow, reckoning, vitals
from tests.soak.attacks import ATTACKS
from tests.soak.flow import Plan, Sent
from tests.soak.order import TENANTS, Order
from tests.soak.stage import Scene, Stage, staged
from tests.soak.vitals import MEGABYTE, Health, Spread
from tests.support.counts import listed

WORKERS = 2
HONEST_BATCHES_PER_S, HONEST_EVENTS, HONEST_CONNECTIONS = 25.0, 100, 4
CONNECTIONS = 1_000
SECONDS_MIN = 12.0  # Of an attack, so that the honest have sent enough for a 99th percentile.
WARM_UNITS, WARM_S = 20, 2.0  # As many that each answer and rule is met.
SETTLE_S = 3.0
LOOK_S = 0.25
SLOWER_MAX = 5.0  # The honest senders' 99th percentile, by that of a quiet service.
LARGER_MAX = 2.0  # The workers' memory, by that of a quiet service.
LEFT_BYTES_MAX = WORKERS * (queue.BYTES_MAX + body_memory.BYTES_MAX)  # What an attack may leave in memory.
# The 5xx that a sender should retry, and that for another version of HTTP.
_FINE = re.compile(r"(503 (overloaded|unavailable|outcome-unknown)|505)\Z")


@dataclass
class Beside:
    """The honest senders' results during an attack."""

    health: Health
    sent: list[Sent] = field(default_factory=list)

    def between(self, from_at: float, to_at: float) -> list[Sent]:
        return [each for each in self.sent if from_at <= each.due_at <= to_at]


class Quiet(NamedTuple):
    """The honest senders' results without attacks, for comparison."""

    waits: Spread
    bytes: int


class Seen(NamedTuple):
    """The results of an attack, while the honest senders sent `honest`."""

    units: int
    seconds: float
    honest: Sequence[Sent]
    health: Health
    before_bytes: int
    most_bytes: int
    after_bytes: int
    cpu_s: float
    answers: "Counter[str]"

    @property
    def waits(self) -> Spread:
        return vitals.spread([each.wait_s for each in self.honest])


async def run(names: Sequence[str], scale: float, quiet_s: float) -> list[str]:
    """Run one attack after another, print the measurements, and return the faults."""
    finds: list[str] = []
    sent: list[Sent] = []
    spreads: dict[str, Spread] = {}
    async with staged(TENANTS, WORKERS, {"fsync": "off"}, is_proxied=False) as stage:
        for name in names:
            async with _honest(stage):
                await strike(stage, name, round(WARM_S) if ATTACKS[name].unit == "s" else WARM_UNITS, WARM_S)
        before = vitals.series(stage.server)
        quiet = await _quiet(stage, quiet_s)
        print(f"{'quiet':18} honest {quiet.waits}; memory MB {quiet.bytes / MEGABYTE:.0f}", flush=True)
        for name in names:
            seen = await _watch(stage, name, max(1, round(ATTACKS[name].units * scale)))
            new = vitals.series(stage.server) - before
            sent += seen.honest
            spreads[name] = seen.waits
            print("\n".join(_told(name, seen, quiet.waits)), flush=True)
            # What anybody may send and have stored takes its time; a like amount of what is odd may not take more.
            is_yardstick = name in {attack.yardstick for attack in ATTACKS.values()}
            waits = seen.waits if is_yardstick else spreads.get(ATTACKS[name].yardstick, quiet.waits)
            measure = Quiet(waits, quiet.bytes)
            finds += [f"{name}: {find}" for find in (*_finds(seen, measure), *(f"a new series {each}" for each in new))]
        lost = (await reckoning.reckon(stage.dsn, flow.stored(sent))).lost
        print(f"series             {len(before)} before, {len(vitals.series(stage.server))} after")
        print(f"log                {stage.server.log.stat().st_size / MEGABYTE:,.0f} MB written")
    finds += [f"{lost:,} events of honest senders acknowledged and lost"] * (lost > 0)
    print(f"hostile: {len(names)} attacks, {len(finds)} finds")
    return finds


async def _quiet(stage: Stage, seconds: float) -> Quiet:
    async with _honest(stage) as beside:
        began_at = time.monotonic()
        with tqdm(total=round(seconds), desc="quiet", unit="s", disable=not sys.stderr.isatty()) as bar:
            for _ in range(round(seconds)):
                await asyncio.sleep(1)
                stage.workers.look()
                bar.update()
        ended_at = time.monotonic()
    waits = vitals.spread([each.wait_s for each in beside.between(began_at, ended_at)])
    return Quiet(waits, stage.workers.most_bytes(began_at, ended_at))


async def _watch(stage: Stage, name: str, units: int) -> Seen:
    """Run an attack beside the honest senders, and watch the service."""
    workers = stage.workers
    async with _honest(stage) as beside:
        before_bytes, cpu_s, began_at = workers.look(), workers.cpu_s(), time.monotonic()
        done, answers = await strike(stage, name, units, SECONDS_MIN)
        ended_at, cpu_s = time.monotonic(), workers.cpu_s() - cpu_s
        await asyncio.sleep(SETTLE_S)
    honest = beside.between(began_at, ended_at)
    most_bytes = workers.most_bytes(began_at)
    return Seen(
        done, ended_at - began_at, honest, beside.health, before_bytes, most_bytes, workers.look(), cpu_s, answers
    )


def order(scene: Scene, name: str, units: int, seconds_min: float, connections: int) -> Order:
    """Aim an attack at a service."""
    server, pids = scene.server, tuple(scene.workers.pids)
    tokens = {tenant: each.token for tenant, each in scene.customers.items() if tenant != "honest"}
    return Order(name, units, seconds_min, server.bind, server.metrics_bind, pids, tokens, connections)


async def strike(scene: Scene, name: str, units: int, seconds_min: float) -> "tuple[int, Counter[str]]":
    """Run an attack, and return the units done and the responses."""
    striking = attacks.start(order(scene, name, units, seconds_min, CONNECTIONS))
    try:
        with tqdm(total=units, desc=name, unit=ATTACKS[name].unit, disable=not sys.stderr.isatty()) as bar:
            while not striking.is_over():
                scene.workers.look()
                bar.update(striking.done - bar.n)
                await asyncio.sleep(LOOK_S)
        return striking.done, await striking.result()
    finally:
        striking.kill()


@contextlib.asynccontextmanager
async def _honest(stage: Stage) -> AsyncIterator[Beside]:
    """Run honest senders at a modest rate, and a load balancer's probes, until the block ends."""
    token = stage.customers["honest"].token
    plan = Plan(stage.server.bind, token, HONEST_CONNECTIONS, HONEST_EVENTS, HONEST_BATCHES_PER_S)
    sending = flow.start(plan)
    try:
        async with vitals.polled(stage.server.bind) as health:
            beside = Beside(health)
            while not sending.is_over() and not sending.done:
                await asyncio.sleep(LOOK_S)
            yield beside
            sending.end()
            beside.sent += await sending.result()
    finally:
        sending.kill()


def _told(name: str, seen: Seen, quiet: Spread) -> Iterator[str]:
    waits, unit = seen.waits, ATTACKS[name].unit
    yield (
        f"{name:18} {seen.units:,} {unit} in {seen.seconds:.0f} s; honest {waits},"
        f" {waits.p50_ms / quiet.p50_ms:.1f} and {waits.p99_ms / quiet.p99_ms:.1f} x quiet"
    )
    sizes = " → ".join(f"{each / MEGABYTE:.0f}" for each in (seen.before_bytes, seen.most_bytes, seen.after_bytes))
    yield f"{'':18} {seen.health}; memory MB {sizes}; {seen.cpu_s / seen.seconds:.2f} cores for the workers"
    yield f"{'':18} answers {listed(seen.answers)}; honest {listed(flow.faces(seen.honest))}"


def _finds(seen: Seen, measure: Quiet) -> Iterator[str]:
    yield from _bad_answers(seen)
    if seen.waits.p99_ms > SLOWER_MAX * measure.waits.p99_ms:
        yield f"the honest waited {seen.waits.p99_ms / measure.waits.p99_ms:.1f} x as long"
    if seen.most_bytes > LARGER_MAX * measure.bytes:
        yield f"memory grew to {seen.most_bytes / measure.bytes:.1f} x that of a quiet service"
    if seen.after_bytes - seen.before_bytes > LEFT_BYTES_MAX:
        yield f"{(seen.after_bytes - seen.before_bytes) / MEGABYTE:,.0f} MB of memory stay"


def _bad_answers(seen: Seen) -> Iterator[str]:
    for failure, count in Counter(seen.health.failures).items():
        yield f"{failure}, {count:,} times"
    for face, count in seen.answers.items():
        if face.startswith("5") and not _FINE.match(face):
            yield f"answered {face}, {count:,} times"
    for face, count in flow.faces(seen.honest).items():
        if face != flow.STORED:
            yield f"the honest were answered {face}, {count:,} times"
