"""Fifty million events through one service, to check that its memory does not grow."""

import shutil
import statistics
from collections.abc import Callable

from msgspec import Struct

from bench import child, cluster, meter
from bench.bodies import Plan
from bench.cluster import EVENTS
from bench.scenario import Scenario
from bench.systems import serving
from bench.trial import WARM_S, Bench, Wrong

SECONDS_MAX = 300.0  # A slow machine sends fewer events.
BYTES_AN_EVENT = 500  # On disk at most: heap, key, and WAL up to max_wal_size.
SAMPLE_S = 1.0


class Soak(Struct, frozen=True, kw_only=True):
    """The memory over time. Growth is from the second twentieth of the time to the last."""

    events: int
    seconds: float
    rss_growth: float
    rss_mb: list[float]  # Sampled once a second.


def why_not(bench: Bench, events: int) -> str:
    """Return why the soak cannot run here, or an empty string."""
    free = shutil.disk_usage(bench.cluster.data_dir).free
    return "" if free > 2 * events * BYTES_AN_EVENT else f"{free / 1e9:.0f} GB of free disk are too few"


def run(bench: Bench, scenario: Scenario, events: int, step: Callable[[int], object]) -> Soak:
    """Send a number of events and watch the service; call `step` with those stored since the last call."""
    stage = bench.cluster.stage(scenario.tenants)
    cluster.execute(stage.dsn, f"TRUNCATE {EVENTS}, nocontent.batches")
    with serving(bench.cluster, stage, scenario, bench.logs / "soak.log") as target:
        plan = Plan(
            scenario=scenario,
            port=target.port,
            tokens=list(target.tokens),
            tags=stage.tags,
            requests=events // scenario.batch_events,
            seconds=SECONDS_MAX,
            warm_requests=200,
            warm_events=scenario.batch_events,
            warm_seconds=WARM_S,
            is_soak=True,
        )
        with child.started("bench.client", plan) as client:
            client.wait_prepared()
            client.take_turn()
            rss_mb = []
            seen = 0
            client.begin_turn()
            while not client.has_ended(SAMPLE_S):
                rss_mb.append(meter.usage(target.pid).rss_bytes / 1e6)
                stored = int(cluster.fetch(stage.dsn, _ACCEPTED)[0]["events"])
                step(stored - seen)
                seen = stored
            tally = client.end_turn()
    cluster.execute(stage.dsn, f"TRUNCATE {EVENTS}, nocontent.batches")
    if set(tally.statuses) != {200}:
        raise Wrong(f"soak: answers were {tally.statuses}")
    share = max(1, len(rss_mb) // 20)
    before, after = statistics.median(rss_mb[share : 2 * share]), statistics.median(rss_mb[-share:])
    return Soak(events=tally.events, seconds=tally.seconds, rss_growth=after / before - 1, rss_mb=rss_mb)


_ACCEPTED = "SELECT coalesce(sum(accepted), 0)::bigint AS events FROM nocontent.batches"
