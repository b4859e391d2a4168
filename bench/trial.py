"""One measurement of one scenario: start everything, warm up, measure from outside, check, and stop."""

import time
from pathlib import Path
from typing import NamedTuple, TypedDict

from msgspec.structs import replace

from bench import child, cluster, limit, meter
from bench.bodies import Plan
from bench.child import Child, Tally
from bench.cluster import EVENTS, Cluster, Stage, Weight
from bench.load import LOST, OK, REFUSED
from bench.results import Trial
from bench.scenario import Scenario
from bench.systems import Target, serving

WARM_S = 1.0
WARM_SHARE = 0.05  # Of a long measurement, whose memory counts from the end of the warm-up.
MANY_TENANTS = 100
MANY_EVENTS = 250  # In a tenant's first batch: enough to contain nearly all of its tags.
MANY_WARM_S = 120.0
PHOENIX_SPANS = 600
PHOENIX_BATCH = 100
PHOENIX_POLL_S = 0.02
PHOENIX_WAIT_S = 300.0


class Wrong(Exception):
    """The stored events differ from the acknowledged ones, or the service failed, so no figure is valid."""


class _Warm(TypedDict):
    warm_requests: int
    warm_events: int
    warm_seconds: float


class Bench(NamedTuple):
    """The place and the duration of trials."""

    cluster: Cluster
    seconds: float
    logs: Path


class _Reading(NamedTuple):
    """A reading of all usage, and of what is stored."""

    service: meter.Usage
    postgres: meter.Usage
    wal_bytes: int
    weight: Weight
    rows: int


def run(bench: Bench, stage: Stage, scenario: Scenario, events_s: float) -> Trial:
    """Measure a scenario once, with bodies for this many events per second."""
    if scenario.seconds:
        bench = bench._replace(seconds=scenario.seconds)
    if scenario.system in limit.WAYS:
        return _run_limit(bench, scenario)
    with (
        serving(bench.cluster, stage, scenario, bench.logs / f"{scenario.name}.log") as target,
        child.started("bench.load", _plan(bench, stage, scenario, target, events_s)) as client,
    ):
        client.wait_prepared()
        if not stage.keeps_rows:
            _empty(target)
        return _measure(bench, scenario, target, client)


def _run_limit(bench: Bench, scenario: Scenario) -> Trial:
    path = bench.cluster.data_dir / limit.FILE
    if not path.exists():
        limit.write_rows(path, bench.seconds)
    dsn = bench.cluster.migrated("limits")
    plan = limit.Plan(way=scenario.system, dsn=dsn, path=str(path), seconds=bench.seconds)
    with child.started("bench.limit", plan) as copier:
        copier.wait_prepared()
        target = Target(0, copier.process.pid, dsn, EVENTS, EVENTS, ())
        _empty(target)
        return _measure(bench, scenario, target, copier)


def _plan(bench: Bench, stage: Stage, scenario: Scenario, target: Target, events_s: float) -> Plan:
    if scenario.system == "phoenix":  # A fixed number, because it responds before it stores.
        scenario = replace(scenario, batch_events=PHOENIX_BATCH)
        events_s = PHOENIX_SPANS / bench.seconds
    each_s = (scenario.events_per_s or events_s) / scenario.batch_events
    return Plan(
        scenario=scenario,
        port=target.port,
        tokens=list(target.tokens),
        tags=stage.tags,
        requests=max(1, round(bench.seconds * each_s)),
        seconds=bench.seconds,
        **_warm(bench, scenario, each_s),
    )


def _warm(bench: Bench, scenario: Scenario, each_s: float) -> _Warm:
    """Return how to warm up: for a while, or with many tenants, until each has sent once."""
    if scenario.tenants > MANY_TENANTS:
        return {"warm_requests": scenario.tenants, "warm_events": MANY_EVENTS, "warm_seconds": MANY_WARM_S}
    seconds = max(WARM_S, bench.seconds * WARM_SHARE)
    requests = 1 if scenario.system == "phoenix" else max(1, round(seconds * each_s))
    return {"warm_requests": requests, "warm_events": scenario.batch_events, "warm_seconds": seconds * 1.5}


def _measure(bench: Bench, scenario: Scenario, target: Target, player: Child) -> Trial:
    bench.cluster.delay_flushes(scenario.sync_delay_ms)
    warm = player.take_turn()
    if scenario.system == "phoenix":
        _await_rows(target, 0, warm)
    cluster.execute(bench.cluster.dsn, "CHECKPOINT")
    rows, weight = cluster.count(target.dsn, target.counted), cluster.weigh(target.dsn, target.table)
    before = _read(bench.cluster, target, weight, rows)
    tally = player.take_turn()
    if scenario.system == "phoenix":
        tally = _await_rows(target, rows, tally)
    after = _read(bench.cluster, target, cluster.weigh(target.dsn, target.table), rows)
    after = after._replace(rows=cluster.count(target.dsn, target.counted))
    _check(scenario, tally, after.rows - before.rows)
    measured = _trial(tally, before, after)
    return replace(measured, rollup_lag_s=cluster.rollup_lag_s(target.dsn)) if scenario.jobs else measured


def _empty(target: Target) -> None:
    tables = (
        f"{EVENTS}, nocontent.batches, nocontent.usage, nocontent.usage_marks"
        if target.table == EVENTS
        else f"{target.table} CASCADE"
    )
    cluster.execute(target.dsn, f"TRUNCATE {tables}")


def _await_rows(target: Target, before: int, tally: Tally) -> Tally:
    """Return the time until the last acknowledged row is stored, and so durable."""
    started = time.perf_counter()
    while cluster.count(target.dsn, target.counted) - before < tally.events:
        if time.perf_counter() > started + PHOENIX_WAIT_S:
            raise Wrong("Phoenix has not stored what it acknowledged")
        time.sleep(PHOENIX_POLL_S)
    return replace(tally, seconds=tally.seconds + time.perf_counter() - started)


def _read(running: Cluster, target: Target, weight: Weight, rows: int) -> _Reading:
    wal_bytes = cluster.wal_bytes(running.dsn)
    return _Reading(meter.usage(target.pid), meter.usage(running.pid), wal_bytes, weight, rows)


def _check(scenario: Scenario, tally: Tally, stored: int) -> None:
    allowed = {OK, REFUSED} if scenario.refused else {OK}
    if not set(tally.statuses) <= allowed:
        raise Wrong(f"{scenario.name}: answers were {tally.statuses} ({LOST}: the connection was lost)")
    # A replay returns the first receipt, whose events are stored once.
    if scenario.system == "ours" and not scenario.replayed and stored != tally.accepted:
        raise Wrong(f"{scenario.name}: {stored} rows are stored, {tally.accepted} were acknowledged")


def _trial(tally: Tally, before: _Reading, after: _Reading) -> Trial:
    answered = tally.events + tally.refused_events
    rows = max(1, after.rows - before.rows)
    return Trial(
        events_s=answered / tally.seconds,
        requests_s=tally.requests / tally.seconds,
        ack_ms_p50=tally.ack_ms.p50,
        ack_ms_p99=tally.ack_ms.p99,
        ack_ms_p999=tally.ack_ms.p999,
        ack_ms_max=tally.ack_ms.max,
        behind_ms_p99=tally.behind_ms_p99,
        cpu_us_service=(after.service.cpu_s - before.service.cpu_s) / answered * 1e6,
        cpu_us_postgres=(after.postgres.cpu_s - before.postgres.cpu_s) / answered * 1e6,
        cpu_us_client=tally.cpu_s / answered * 1e6,
        wal_bytes_row=(after.wal_bytes - before.wal_bytes) / rows,
        heap_bytes_row=(after.weight.heap - before.weight.heap) / rows,
        index_bytes_row=(after.weight.indexes - before.weight.indexes) / rows,
        rss_mb_start=before.service.rss_bytes / 1e6,
        rss_mb_end=after.service.rss_bytes / 1e6,
        seconds=tally.seconds,
    )
