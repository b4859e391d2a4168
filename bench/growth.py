"""The cost of size: one load on an empty database and on ones with many rows, partitions, tenants and terms.

`python -m bench.growth` takes turns on one server; each figure is a ratio to the empty database in the same round.
"""

import argparse
import asyncio
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tqdm import tqdm

from bench import accounts, cluster, filling, machine, results, trial
from bench.cluster import Cluster, Stage
from bench.filling import Shape
from bench.results import ROOT, Growth, Point, Size
from bench.scenario import Scenario
from bench.summary import spread
from bench.trial import Bench
from bench.workload import TAGS

PARTITIONS_BESIDE_RETENTION = Size().partitions - cluster.RETENTION_DAYS
TENANT_TERMS_MAX = 8_000  # A tenant has 8,192 ids for tag values.
ROW_BYTES = 220  # On disk, including the key.
SPARE_BYTES = 30_000_000_000  # For WAL and the other databases.


def sizes(rows: int) -> dict[str, Size]:
    """Return the sizes by name: those that grow in one way, then in all."""
    return {
        "empty": Size(),
        f"rows {rows // 10:,}": Size(rows=rows // 10),
        f"rows {rows:,}": Size(rows=rows),
        "partitions 400": Size(partitions=400),
        "tenants 100": Size(tenants=100),
        "tenants 10,000": Size(tenants=10_000),
        "terms 8,000": Size(terms=8_000),
        "terms 100,000": Size(tenants=13, terms=100_000),
        "all": Size(rows=rows, partitions=400, tenants=10_000, terms=100_000),
    }


def main() -> int:
    """Grow, measure, write growth.json and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.growth", description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000, help="in the largest database (default: 10 million)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="duration of each measurement (default: 4)")
    parser.add_argument("--data-dir", type=Path, default=ROOT / ".bench", help="folder for PostgreSQL's data")
    args = parser.parse_args()
    logs = ROOT / ".bench/logs"
    logs.mkdir(parents=True, exist_ok=True)
    with cluster.started(args.data_dir) as running:
        provenance = machine.look(running)
        wanted = sizes(_rows_that_fit(running, args.rows))
        stages = {name: _grow(running, name, size) for name, size in wanted.items()}
        speeds = _measure(Bench(running, args.seconds, logs), stages, args.rounds)
    points = {
        name: Point(
            size=wanted[name],
            events_s=spread(mine),
            ratio=spread([one / empty for one, empty in zip(mine, speeds["empty"], strict=True)]),
        )
        for name, mine in speeds.items()
    }
    command = shlex.join(["python", "-m", "bench.growth", *sys.argv[1:]])
    results.write("growth", Growth(provenance=provenance, command=command, rounds=args.rounds, points=points))
    for name, point in points.items():
        each = point.ratio
        print(f"{name:22}{point.events_s.median:>10,.0f} events/s {each.median:5.2f} ({each.min:.2f} – {each.max:.2f})")
    return 0


def _rows_that_fit(running: Cluster, rows: int) -> int:
    free = shutil.disk_usage(running.data_dir).free - SPARE_BYTES
    fitting = min(rows, int(free / ROW_BYTES / 2.1))  # Two databases have all rows, one has a tenth.
    if fitting < rows:
        print(f"the disk has room for {fitting:,} rows and not for {rows:,}", file=sys.stderr)
    assert fitting > 0, "the disk is full"
    return fitting


def _grow(running: Cluster, name: str, size: Size) -> Stage:
    dsn = running.create("grown_" + "".join(filter(str.isalnum, name)))
    retention_days = size.partitions - PARTITIONS_BESIDE_RETENTION
    asyncio.run(cluster.migrate_database(dsn, retention_days))
    tags = _tags(size)
    tokens = accounts.enroll(dsn, size.tenants, tags)
    if size.rows:
        with tqdm(total=size.rows, unit="row", unit_scale=True, desc=name, disable=not sys.stderr.isatty()) as bar:
            asyncio.run(filling.fill(dsn, size.rows, Shape(retention_days, size.tenants), bar.update))
    return Stage(dsn, tokens, tags, retention_days, keeps_rows=size.rows > 0)


def _tags(size: Size) -> Mapping[str, Sequence[str]]:
    """Return tags with enough values to reach the number of terms over all tenants; the load uses them all."""
    each = min(TENANT_TERMS_MAX, -(-size.terms // size.tenants))
    return {**TAGS, "team": tuple(f"team-{number}" for number in range(each))} if each else TAGS


def _measure(bench: Bench, stages: Mapping[str, Stage], rounds: int) -> dict[str, list[float]]:
    speeds: dict[str, list[float]] = {name: [] for name in stages}
    names = list(stages)
    with tqdm(total=rounds * len(names), unit="run", disable=not sys.stderr.isatty()) as bar:
        for number in range(rounds):
            start = number * len(names) // rounds
            for name in names[start:] + names[:start]:
                bar.set_postfix_str(name)
                scenario = Scenario(name="growth", tenants=len(stages[name].tokens))
                speeds[name].append(trial.run(bench, stages[name], scenario, scenario.expected_events_s).events_s)
                bar.update()
    return speeds


if __name__ == "__main__":
    sys.exit(main())
