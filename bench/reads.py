"""`python -m bench.reads`: the times and plans of typical queries on many rows."""

import argparse
import asyncio
import shlex
import statistics
import sys
import time
from pathlib import Path

import asyncpg
from tqdm import tqdm

from bench import accounts, cluster, filling, machine, results
from bench.results import ROOT, Read, Reads
from bench.workload import TAGS

DAYS = 30
TENANTS = 100
ASKED = {"largest": 1, "median": 50}  # Tenants; `filling` makes the first the largest.
EXPLAINED = ("view", "median")
REPEATS = 5
_COST_BY_MODEL = """
SELECT {model} AS model, count(*) AS events, sum(cost_nanousd) AS cost_nanousd
FROM {events}
WHERE tenant_id = {tenant} AND occurred_at >= now() - interval '24 hours'
GROUP BY 1 ORDER BY 3 DESC
"""
_SAVINGS_BY_DAY = """
SELECT date_trunc('day', occurred_at, 'UTC') AS day, sum({savings}) AS savings_nanousd
FROM {events}
WHERE tenant_id = {tenant} AND occurred_at >= now() - interval '30 days'
GROUP BY 1 ORDER BY 1
"""
_LATENCY_BY_MODEL = """
SELECT {model} AS model, percentile_cont(0.95) WITHIN GROUP (ORDER BY latency_ms) AS p95_ms
FROM {events}
WHERE tenant_id = {tenant} AND occurred_at >= now() - interval '7 days'
GROUP BY 1 ORDER BY 2 DESC
"""
QUERIES = {
    "cost by model, 24 h": _COST_BY_MODEL,
    "savings by day, 30 days": _SAVINGS_BY_DAY,
    "p95 latency by model, 7 days": _LATENCY_BY_MODEL,
}
# The analysts' view, and the tables below it: the difference is the price of names for ids.
_VIEW = {"events": "nocontent.readable_events", "model": "routed_model", "savings": "savings_nanousd"}
_TABLE = {
    "events": "nocontent.events",
    "model": "routed_model",
    "savings": "NULLIF(baseline_cost_nanousd, -1) - cost_nanousd",
}
SOURCES = {"view": _VIEW, "table": _TABLE}


def main() -> int:
    """Fill the tables, run the queries, write reads.json and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.reads", description=__doc__)
    parser.add_argument("--rows", type=int, default=5_000_000, help="(default: 5 million; 50000000: the full measure)")
    parser.add_argument("--data-dir", type=Path, default=ROOT / ".bench", help="folder for PostgreSQL's data")
    args = parser.parse_args()
    with cluster.started(args.data_dir) as running:
        provenance = machine.look(running)
        dsn = running.migrated("reads")
        accounts.enroll(dsn, TENANTS, TAGS)
        with tqdm(total=args.rows, unit="row", unit_scale=True, disable=not sys.stderr.isatty()) as bar:
            asyncio.run(filling.fill(dsn, args.rows, DAYS, TENANTS, bar.update))
        found = asyncio.run(ask(dsn))
    command = shlex.join(["python", "-m", "bench.reads", *sys.argv[1:]])
    written = Reads(provenance=provenance, command=command, rows=args.rows, days=DAYS, tenants=TENANTS, reads=found)
    results.write("reads", written)
    print(f"{args.rows:,} rows of {DAYS} days and {TENANTS} tenants")
    for read in found:
        print(f"{read.query:30}{read.source:6}{read.tenant:8}{read.rows_read:>10,} rows {read.median_ms:>9.1f} ms")
    return 0


async def ask(dsn: str) -> list[Read]:
    """Run each query on each source and tenant."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("ANALYZE nocontent.vocabulary")
        await connection.execute("SET ROLE nocontent_analyst")
        return [
            await _read(connection, query, source, tenant)
            for query in QUERIES
            for source in SOURCES
            for tenant in ASKED
        ]
    finally:
        await connection.close()


async def _read(connection: asyncpg.Connection, query: str, source: str, tenant: str) -> Read:
    sql = QUERIES[query].format(tenant=ASKED[tenant], **SOURCES[source])
    spent_ms = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        await connection.fetch(sql)
        spent_ms.append((time.perf_counter() - started) * 1e3)
    explained = await connection.fetch(f"EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF) {sql}")
    since = sql.partition("interval '")[2].partition("'")[0]
    rows_read = await connection.fetchval(_COUNT.format(tenant=ASKED[tenant], since=since))
    return Read(
        query=query, source=source, tenant=tenant, rows_read=rows_read, first_ms=spent_ms[0],
        median_ms=statistics.median(spent_ms),
        plan=[row[0] for row in explained] if (source, tenant) == EXPLAINED else [],
    )  # fmt: skip


_COUNT = """
SELECT count(*) FROM nocontent.events WHERE tenant_id = {tenant} AND occurred_at >= now() - interval '{since}'
"""


if __name__ == "__main__":
    sys.exit(main())
