"""The long runs of this folder in short; nothing depends on the machine's speed."""

import asyncio
import resource
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from ingest.intake import queue
from schema.limits import EVENTS_MAX
from tests.faults import rig as rigs
from tests.faults.proxy import Blow, Trap, Way
from tests.faults.rig import Rig, Site
from tests.soak import attacks, events, flow, hostile, template, vitals
from tests.soak.flow import Plan
from tests.soak.order import TENANTS
from tests.soak.stage import Scene
from tests.soak.vitals import Workers
from tests.support import customers, sample, service
from tests.support.cluster import Cluster

OPEN_FILES = 256  # A soft limit to start the service with, as 1,024 is most places',
SLOW_CONNECTIONS = 400  # and more than that.
UNKNOWN_IDS, BAD_TOKENS = 20_000, 5_000
ATTACK_S_MAX = 120
WAIT_S = 30.0
FULL = queue.TENANT_ROWS_MAX // EVENTS_MAX


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with rigs.site() as made:
        yield made


@pytest.fixture
async def rig(site: Site) -> AsyncIterator[Rig]:
    async with rigs.rigged(site, "soak") as made:
        yield made


async def test_a_stalled_database_fills_the_queue_and_no_more(rig: Rig) -> None:
    made = template.good(EVENTS_MAX)
    bodies = [made.stamp(number, sample.now_ms()) for number in range(2 * FULL)]
    rig.proxy.set(Trap(Way.TO_DATABASE, Blow.STALL, text=b"COMMIT\0"))
    stalled = asyncio.create_task(rig.post(bodies[0]))
    async with asyncio.timeout(WAIT_S):
        await rig.proxy.sprung.wait()
    waiting = [asyncio.create_task(rig.post(body)) for body in bodies[1 : FULL + 1]]
    assert await vitals.until(lambda: rig.service.queue.rows == queue.TENANT_ROWS_MAX, WAIT_S)
    turned_away = await asyncio.gather(*(rig.post(body) for body in bodies[FULL + 1 :]))
    assert {answer.face for answer in turned_away} == {"503 overloaded"}
    assert rig.service.queue.rows == queue.TENANT_ROWS_MAX
    assert rig.service.queue.bytes <= queue.BYTES_MAX
    assert rig.service.intake.body_memory.bytes == 0, "of what waits for the writer, no body is kept"
    await rig.proxy.cut()
    assert (await stalled).face == "503 outcome-unknown"
    assert {answer.face for answer in await asyncio.gather(*waiting)} == {flow.STORED}
    assert (await rig.post(bodies[0])).face == flow.STORED
    assert (await rig.post(bodies[-1])).face == flow.STORED
    assert (rig.service.queue.rows, rig.service.queue.bytes) == (0, 0)
    (row,) = await rig.run("SELECT count(*) FROM events")
    assert row["count"] == EVENTS_MAX * (FULL + 2)


async def test_memory_does_not_grow_with_events() -> None:
    assert await events.run(200_000) == []


@pytest.fixture(scope="module")
def scene(postgres: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """One worker that was started with room for few connections."""
    dsn = postgres.migrated()
    made = customers.prepare(dsn, TENANTS)
    log: Path = tmp_path_factory.mktemp("soak") / "serve.log"
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with ExitStack() as undo:
        resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, hard))
        try:
            server = undo.enter_context(service.serving(dsn, log, workers=1))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        yield Scene(server, made, Workers(server))


@pytest.mark.parametrize("attack", ["slow-headers", "slow-bodies"])
async def test_slow_connections_do_not_keep_the_honest_out(attack: str, scene: Scene) -> None:
    (worker,) = scene.workers.pids
    striking = attacks.start(hostile.order(scene, attack, ATTACK_S_MAX, 0.0, SLOW_CONNECTIONS))
    try:
        assert await vitals.until(lambda: _open_files(worker) > SLOW_CONNECTIONS, WAIT_S)
        plan = Plan(scene.server.bind, scene.customers["honest"].token, 4, 100, batches=40)
        async with vitals.polled(scene.server.bind) as health:
            sent = await flow.start(plan).result()
            assert await vitals.until(lambda: len(health.waits_s) > 1, WAIT_S)
        # Connections past their time are closed and reopened at once, so there may briefly be fewer.
        assert await vitals.until(lambda: _open_files(worker) > SLOW_CONNECTIONS, WAIT_S)
    finally:
        striking.kill()
    assert flow.faces(sent) == {flow.STORED: 40}
    assert health.failures == []


async def test_what_strangers_make_up_adds_no_series(scene: Scene) -> None:
    made_up = {"unknown-refused": UNKNOWN_IDS, "unknown-coarsened": UNKNOWN_IDS, "bad-tokens": BAD_TOKENS}
    for name in made_up:
        await hostile.strike(scene, name, 1, 0.0)
    before = vitals.series(scene.server)
    answers = {name: (await hostile.strike(scene, name, units, 0.0))[1] for name, units in made_up.items()}
    assert vitals.series(scene.server) == before
    assert answers["unknown-refused"].keys() == {"422 rejected"}
    assert answers["unknown-coarsened"].keys() == {flow.STORED}
    assert answers["bad-tokens"] == {"401 bad-token": BAD_TOKENS}


def _open_files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))
