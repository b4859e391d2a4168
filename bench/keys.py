"""`python -m bench.keys`: the order of the primary key, and its cost for writes in three orders and for reads.

Each table is one day of `events` with another key. Groups of 8,192 rows of 100 tenants are sorted by that key, as in
the service, and copied without the ledger, in turns, to one PostgreSQL.
"""

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import NamedTuple

import asyncpg
import msgspec
import numpy as np
from tqdm import tqdm

from bench import cluster
from bench.child import ROOT
from bench.scenario import Order
from bench.workload import Clock
from ingest.store import rows

KEYS = {
    "tenant, time, id": ("tenant_id", "occurred_at", "event_id"),
    "time, id, tenant": ("occurred_at", "event_id", "tenant_id"),
    "time, tenant, id": ("occurred_at", "tenant_id", "event_id"),
}
ORDERS: tuple[Order, ...] = ("in-order", "jitter", "late")
GROUP_ROWS = 8_192
TENANTS = 100
_POSTGRES_EPOCH_MS = 946_684_800_000
_READ = """
SELECT routed_model, sum(cost_nanousd) FROM {table}
WHERE tenant_id = 7 AND occurred_at >= $1 GROUP BY routed_model
"""


class Cost(NamedTuple):
    """The cost of one table after one round."""

    rows_s: float
    wal_bytes_row: float
    key_bytes_row: float
    read_ms: float
    read_buffers: int


def main() -> int:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(prog="python -m bench.keys", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of each table (default: a million)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data-dir", type=Path, default=ROOT / ".bench/postgres")
    args = parser.parse_args()
    with cluster.started(args.data_dir.resolve(), is_slowable=False) as running:
        asyncio.run(_measure(running.stage(1).dsn, args.rows, args.rounds))
    return 0


async def _measure(dsn: str, count: int, rounds: int) -> None:
    costs: dict[tuple[Order, str], list[Cost]] = {(order, key): [] for order in ORDERS for key in KEYS}
    bar = tqdm(total=rounds * len(costs), unit="table", disable=not sys.stderr.isatty())
    connection = await asyncpg.connect(dsn, server_settings={"search_path": "nocontent"})
    for _ in range(rounds):
        for order in ORDERS:
            groups = _groups(order, count)
            for key, columns in KEYS.items():
                costs[order, key].append(await _fill(connection, groups, columns))
                bar.update()
    await connection.close()
    bar.close()
    print(f"{'arrival':10} {'key':18} {'rows/s':>9} {'WAL':>6} {'key B':>6} {'read ms':>8} {'buffers':>8}")
    for (order, key), found in costs.items():
        rows_s, wal, key_bytes, read_ms, buffers = (statistics.median(each) for each in zip(*found, strict=True))
        print(f"{order:10} {key:18} {rows_s:9,.0f} {wal:6.0f} {key_bytes:6.0f} {read_ms:8.1f} {buffers:8,.0f}")


def _groups(order: Order, count: int) -> list["np.ndarray[tuple[int], np.dtype[np.void]]"]:
    """Make groups of rows in an order of arrival, each row of a random tenant."""
    clock = Clock(order, count, time.time_ns() // 1_000_000)
    dice = np.random.default_rng(7)
    made = []
    for _ in range(count // GROUP_ROWS):
        group = np.frombuffer(2 * rows.blank(GROUP_ROWS // 2), rows.ROW)
        ids = clock.take(GROUP_ROWS)
        group["event_id"] = ids.reshape(-1).view("V16")
        at_ms = ids.reshape(-1).view(">u8")[::2] >> np.uint64(16)
        group["occurred_at"] = (at_ms.astype(np.int64) - _POSTGRES_EPOCH_MS) * 1_000
        group["tenant_id"] = dice.integers(1, TENANTS + 1, GROUP_ROWS)
        group["routed_model"] = dice.integers(1, 30, GROUP_ROWS)
        made.append(group)
    return made


async def _fill(
    connection: asyncpg.Connection,
    groups: Sequence["np.ndarray[tuple[int], np.dtype[np.void]]"],
    columns: Sequence[str],
) -> Cost:
    """Copy the groups into a fresh table with a key, and read from it as an analyst would."""
    await connection.execute("DROP TABLE IF EXISTS keyed")
    await connection.execute("CREATE TABLE keyed (LIKE events)")
    await connection.execute(f"ALTER TABLE keyed ADD PRIMARY KEY ({', '.join(columns)})")
    await connection.execute("CHECKPOINT")
    merged = [_sorted(group, columns) for group in groups]
    count = len(groups) * GROUP_ROWS
    wal = await connection.fetchval("SELECT pg_current_wal_insert_lsn()")
    started = time.perf_counter()
    for each in merged:
        await connection.copy_to_table("keyed", source=_source(each), columns=rows.COLUMNS, format="binary")
    took_s = time.perf_counter() - started
    wal_bytes = await connection.fetchval("SELECT pg_current_wal_insert_lsn() - $1::pg_lsn", wal)
    key_bytes = await connection.fetchval("SELECT pg_indexes_size('keyed')")
    await connection.execute("VACUUM (ANALYZE) keyed")
    read_ms, buffers = await _read(connection)
    return Cost(count / took_s, float(wal_bytes) / count, key_bytes / count, read_ms, buffers)


def _sorted(group: "np.ndarray[tuple[int], np.dtype[np.void]]", columns: Sequence[str]) -> bytes:
    heads = group["event_id"].copy().view(">u8")[::2].astype(np.uint64)
    by = {"event_id": heads, "occurred_at": heads >> np.uint64(16), "tenant_id": group["tenant_id"].astype(np.int32)}
    return group.take(np.lexsort([by[name] for name in reversed(columns)])).tobytes()


async def _source(merged: bytes) -> AsyncIterator[bytes]:
    yield rows.HEADER
    yield merged
    yield rows.TRAILER


async def _read(connection: asyncpg.Connection) -> tuple[float, int]:
    """Return the milliseconds and pages of a warm query for one tenant's newer half."""
    middle = await connection.fetchval("SELECT min(occurred_at) + (max(occurred_at) - min(occurred_at)) / 2 FROM keyed")
    plans = [
        (await connection.fetchval("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + _READ.format(table="keyed"), middle))
        for _ in range(3)
    ]
    found = [_plan(plan) for plan in plans]
    return min(each[0] for each in found), found[-1][1]


def _plan(plan: str) -> tuple[float, int]:
    (top,) = msgspec.json.decode(plan)
    return float(top["Execution Time"]), int(top["Plan"]["Shared Hit Blocks"] + top["Plan"]["Shared Read Blocks"])


if __name__ == "__main__":
    sys.exit(main())
