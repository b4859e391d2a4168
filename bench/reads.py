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
from bench.filling import Shape
from bench.questions import QUESTIONS, Question
from bench.results import ROOT, Read, Reads
from bench.workload import TAGS
from ingest.jobs import runner
from ingest.store import connections
from ingest.usage import rounds

DAYS = 30
TENANTS = 100
ASKED = {"largest": 1, "median": 50}  # Tenants; `filling` makes the first the largest.
EXPLAINED = {("view", "median"), ("rollup", "largest")}
REPEATS = 5


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
            asyncio.run(filling.fill(dsn, args.rows, Shape(DAYS, TENANTS), bar.update))
        rollup_s = asyncio.run(sum_all(dsn))
        found = asyncio.run(ask(dsn))
    command = shlex.join(["python", "-m", "bench.reads", *sys.argv[1:]])
    written = Reads(provenance=provenance, command=command, rows=args.rows, days=DAYS, tenants=TENANTS,
        rollup_s=rollup_s, reads=found)  # fmt: skip
    results.write("reads", written)
    print(f"{args.rows:,} rows of {DAYS} days and {TENANTS} tenants, summed in {rollup_s:,.0f} s")
    for read in found:
        print(f"{read.query:30}{read.source:8}{read.tenant:8}{read.rows_read:>10,} rows {read.median_ms:>9.1f} ms")
    return 0


async def ask(dsn: str) -> list[Read]:
    """Ask each question of each source and tenant."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("ANALYZE nocontent.vocabulary")
        await connection.execute("SET ROLE nocontent_analyst")
        return [
            await _read(connection, question, source, tenant)
            for question in QUESTIONS
            for source in question.sources
            for tenant in ASKED
        ]
    finally:
        await connection.close()


async def _read(connection: asyncpg.Connection, question: Question, source: str, tenant: str) -> Read:
    sql = question.sources[source].format(tenant=ASKED[tenant])
    spent_ms = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        await connection.fetch(sql)
        spent_ms.append((time.perf_counter() - started) * 1e3)
    explained = await connection.fetch(f"EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF) {sql}")
    counting = _COUNT_ROLLED if source == "rollup" else _COUNT
    rows_read = await connection.fetchval(
        counting.format(tenant=ASKED[tenant], since=question.since, grain=question.grain)
    )
    return Read(
        query=question.says, source=source, tenant=tenant, rows_read=rows_read,
        first_ms=spent_ms[0], median_ms=statistics.median(spent_ms),
        plan=[row[0] for row in explained] if (source, tenant) in EXPLAINED else [],
    )  # fmt: skip


_COUNT = """
SELECT count(*) FROM nocontent.events WHERE tenant_id = {tenant} AND occurred_at >= now() - interval '{since}'
"""
_COUNT_ROLLED = """
SELECT count(*) FROM nocontent.usage
WHERE tenant_id = {tenant} AND grain = {grain} AND at >= date_trunc('day', now() - interval '{since}', 'UTC')
"""


async def sum_all(dsn: str, tenants: int = TENANTS, days: int = DAYS) -> float:
    """Have the job sum all rows, as after an upgrade from a version without rollups; return the seconds it took."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("DELETE FROM nocontent.usage_marks")
        await connection.execute(_MARK_ALL, tenants, days)
    finally:
        await connection.close()
    started = time.perf_counter()
    async with connections.connected(dsn, rounds.ROLE) as biller:
        await runner.run_once(biller, rounds.ROLLUP)
    taken = time.perf_counter() - started
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("VACUUM (ANALYZE) nocontent.usage")
    finally:
        await connection.close()
    return taken


# A mark without events asks for every hour of its time to be summed again.
_MARK_ALL = """
INSERT INTO nocontent.usage_marks (tenant_id, first, last, events, xid)
SELECT tenant_id, now() - make_interval(days => $2 + 1), now(), 0, NULL
FROM generate_series(1, $1::integer) AS tenant_id
"""


if __name__ == "__main__":
    sys.exit(main())
