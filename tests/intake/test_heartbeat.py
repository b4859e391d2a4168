"""A worker's heartbeat, even while the database is silent."""

import asyncio
import time

from prometheus_client import REGISTRY

from ingest.intake import heartbeat
from ingest.intake.queue import Queue
from ingest.serving.heartbeat import HEARTBEAT_S
from tests.intake.test_queue import entry


def series(name: str) -> float:
    value = REGISTRY.get_sample_value(name)
    assert value is not None
    return value


async def test_the_queue_and_ages_are_reported_without_a_database() -> None:
    queue = Queue()
    queue.put(entry(1))
    beating = heartbeat.make(queue, {"writer"}, lambda: 7.0)
    await asyncio.sleep(0.02)
    beating.beat()
    assert 0.02 <= series("ingest_queue_age_seconds") < 5
    assert series("ingest_broken_tasks") == 1
    assert series("ingest_workers") == 1
    assert abs(series("ingest_pulse_timestamp_seconds") - time.time()) < 5


async def test_before_the_first_snapshot_its_age_is_that_of_the_worker() -> None:
    heartbeat.make(Queue(), (), lambda: float("inf")).beat()
    assert 0 <= series("ingest_snapshot_age_seconds") < 5


async def test_a_snapshot_is_as_old_as_it_is() -> None:
    beating = heartbeat.make(Queue(), (), lambda: 0.01)
    await asyncio.sleep(0.02)
    beating.beat()
    assert series("ingest_snapshot_age_seconds") == 0.01


async def test_cpu_is_counted_once_and_memory_is_that_of_the_process() -> None:
    beating = heartbeat.make(Queue(), (), lambda: 0.0)
    beating.beat()
    before = series("ingest_cpu_seconds_total")
    ends_at = time.process_time() + 0.1
    while time.process_time() < ends_at:
        pass
    beating.beat()
    assert 0.1 <= series("ingest_cpu_seconds_total") - before < 1
    assert 10e6 < series("ingest_resident_bytes") < 10e9


async def test_it_beats_until_it_is_cancelled() -> None:
    task = asyncio.create_task(heartbeat.make(Queue(), (), lambda: 0.0).run())
    await asyncio.sleep(0.01)
    first = series("ingest_pulse_timestamp_seconds")
    await asyncio.sleep(HEARTBEAT_S + 0.2)
    task.cancel()
    assert series("ingest_pulse_timestamp_seconds") > first


async def test_a_turn_that_takes_long_is_seen_as_lag() -> None:
    running = asyncio.create_task(heartbeat.make(Queue(), (), lambda: 0.0).run())
    before = series("ingest_loop_lag_seconds_sum")
    await asyncio.sleep(0.01)
    time.sleep(0.3)  # noqa: ASYNC251 (what a request must not do)
    await asyncio.sleep(0.05)
    assert series("ingest_loop_lag_seconds_sum") > before + 0.15
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
