"""`python -m bench.erasure`: erase the largest of many tenants under load, and kill the job on the way.

Ingestion is measured before and meanwhile. At the end nothing of the tenant may be left, nothing of the others may be
missing, and there is one receipt, which verifies, and does not with one byte changed.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
from tqdm import tqdm

from bench import accounts, child, cluster, filling, reads
from bench.bodies import Plan
from bench.child import Child, Tally
from bench.cluster import Cluster, Stage
from bench.filling import Shape
from bench.results import ROOT
from bench.scenario import Scenario
from bench.systems import Target, serving
from bench.workload import TAGS
from ingest.rights.receipts import keys, signing
from ingest.rights.receipts.errors import InvalidReceipt
from ingest.rights.receipts.keys import KeySet
from ingest.store import connections, dump
from ingest.store.rights import erasures
from ingest.store.rights.erasures import Erasure, Subject

WARM_REQUESTS = 100
SETTINGS = cluster.SETTINGS | {"autovacuum": "on", "autovacuum_naptime": "5s"}
_KINDS = 8  # Sums are fewer than rows then, as with the few models that a customer uses.
VICTIM, NAME = 1, "victim-of-the-measure"  # `filling` makes the first the largest: it has a fifth of all rows.
_OTHERS = """
SELECT tenant_id, count(*), sum(input_tokens), sum(cost_nanousd) FROM nocontent.events
WHERE tenant_id <> $1 AND occurred_at < $2 GROUP BY tenant_id ORDER BY tenant_id
"""
_SUMS = """
SELECT tenant_id, sum(events), sum(input_tokens) FROM nocontent.usage
WHERE tenant_id <> $1 AND grain = 2 AND at < date_trunc('hour', $2::timestamptz, 'UTC')
GROUP BY tenant_id ORDER BY tenant_id
"""
_LEFT = """
SELECT (SELECT count(*) FROM nocontent.events WHERE tenant_id = $1)
    + (SELECT count(*) FROM nocontent.usage WHERE tenant_id = $1)
    + (SELECT count(*) FROM nocontent.usage_marks WHERE tenant_id = $1)
"""


def main() -> int:
    """Fill, measure, erase under load, and check; return 1 if anything is wrong."""
    parser = argparse.ArgumentParser(prog="python -m bench.erasure", description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000_000, help="of all tenants (default: 20 million)")
    parser.add_argument("--tenants", type=int, default=100, help="(default: 100)")
    parser.add_argument("--days", type=int, default=30, help="of their history, up to 30 (default: 30)")
    parser.add_argument("--kills", type=int, default=20, help="(default: 20)")
    parser.add_argument("--every", type=float, default=5.0, help="seconds between kills (default: 5)")
    parser.add_argument("--rate", type=int, default=20_000, help="events a second to offer (default: 20,000)")
    parser.add_argument("--seconds", type=float, default=120.0, help="of each measurement (default: 120)")
    parser.add_argument("--data-dir", type=Path, default=ROOT / ".bench", help="folder for PostgreSQL's data")
    args = parser.parse_args()
    with cluster.started(args.data_dir, SETTINGS) as running, tempfile.TemporaryDirectory() as made:
        stage = _filled(running, args)
        faults = _measure(running, stage, args, Path(made))
    print("\n".join(faults) or "all of it holds")
    return int(bool(faults))


def _filled(running: Cluster, args: argparse.Namespace) -> Stage:
    dsn = running.migrated("erasure")
    tokens = accounts.enroll(dsn, args.tenants, TAGS)
    cluster.execute(dsn, f"UPDATE nocontent.tenants SET name = '{NAME}' WHERE tenant_id = {VICTIM}")
    with tqdm(total=args.rows, unit="row", unit_scale=True, disable=not sys.stderr.isatty()) as bar:
        asyncio.run(filling.fill(dsn, args.rows, Shape(args.days, args.tenants, _KINDS), bar.update))
    asyncio.run(reads.sum_all(dsn, args.tenants, args.days))
    return Stage(dsn, tokens[VICTIM:], TAGS, keeps_rows=True)


def _measure(running: Cluster, stage: Stage, args: argparse.Namespace, folder: Path) -> list[str]:
    scenario = Scenario(name="erasure", tenants=args.tenants - 1, events_per_s=args.rate, seconds=args.seconds)
    environment = _environment(stage.dsn, folder)
    log = folder / "serve.log"
    with serving(running, stage, scenario, log) as target, _jobs(environment, folder / "jobs.log") as jobs:
        before = _load(_plan(scenario, stage, target))
        now = cluster.fetch(stage.dsn, "SELECT clock_timestamp()")[0][0]
        others = cluster.fetch(stage.dsn, _OTHERS, VICTIM, now)
        _settle(stage.dsn)
        sums = cluster.fetch(stage.dsn, _SUMS, VICTIM, now)
        recorded = asyncio.run(_record(stage.dsn))
        began = time.monotonic()
        meanwhile: list[Tally] = []
        loading = threading.Thread(target=lambda: meanwhile.append(_load(_plan(scenario, stage, target))))
        loading.start()
        kills = _kill(stage.dsn, recorded, args, jobs)
        ended = _wait(stage.dsn, recorded)
        spent = time.monotonic() - began
        loading.join()
        faults = _check(stage.dsn, recorded, folder)
        faults += ["other tenants' rows differ"] * (others != cluster.fetch(stage.dsn, _OTHERS, VICTIM, now))
        faults += ["other tenants' sums differ"] * (sums != cluster.fetch(stage.dsn, _SUMS, VICTIM, now))
    erased = {count.table: count.erased for count in asyncio.run(_counts(stage.dsn, recorded))}
    _report(before, meanwhile[0])
    print(f"erased {erased['events']:,} events in {spent:,.0f} s, killed {kills} times; {ended.step}")
    if meanwhile[0].events / meanwhile[0].seconds < 0.9 * before.events / before.seconds:
        faults.append("ingestion was slower than 0.9 × of before")
    return faults + [f"killed {kills} times, not {args.kills}: use more rows or kill sooner"] * (kills < args.kills)


def _report(before: Tally, meanwhile: Tally) -> None:
    for name, tally in (("before", before), ("meanwhile", meanwhile)):
        print(
            f"{name:10}{tally.events / tally.seconds:>10,.0f} events/s, p50 {tally.ack_ms.p50:.1f} ms,"
            f" p99 {tally.ack_ms.p99:.1f} ms, answers {dict(tally.statuses)}"
        )


def _environment(dsn: str, folder: Path) -> dict[str, str]:
    """Return the environment of the jobs, with a new key and a folder for receipts."""
    key = signing.generate()
    (folder / "erasures").mkdir()
    (folder / "key.pem").touch(0o600)
    (folder / "key.pem").write_bytes(key.pem())
    (folder / "keys.json").write_bytes(keys.encode(KeySet().with_key(key.public)))
    own = {name: value for name, value in os.environ.items() if not name.startswith("NOCONTENT_")}
    return own | {
        "NOCONTENT_DSN": dsn, "NOCONTENT_BACKUP_DAYS": "14", "NOCONTENT_ERASURES_DIR": str(folder / "erasures"),
        "NOCONTENT_RECEIPT_KEY_FILE": str(folder / "key.pem"),
        "NOCONTENT_RECEIPT_PUBLIC_KEYS_FILE": str(folder / "keys.json"),
    }  # fmt: skip


class _Jobs:
    """The process of the jobs, which can be killed and started again."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        self._environment, self._log = environment, log
        self._process = self._start()

    def _start(self) -> "subprocess.Popen[bytes]":
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "ingest", "jobs"], cwd=ROOT, env=self._environment, stderr=log, stdout=log
            )

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def start(self) -> None:
        self._process = self._start()


@contextmanager
def _jobs(environment: dict[str, str], log: Path) -> Iterator[_Jobs]:
    jobs = _Jobs(environment, log)
    try:
        yield jobs
    finally:
        jobs.kill()


def _plan(scenario: Scenario, stage: Stage, target: Target) -> Plan:
    return Plan(
        scenario=scenario, port=target.port, tokens=list(stage.tokens), tags=stage.tags,
        requests=round(scenario.seconds * scenario.events_per_s / scenario.batch_events), seconds=scenario.seconds,
        warm_requests=WARM_REQUESTS, warm_events=10, warm_seconds=10.0,
    )  # fmt: skip


def _load(plan: Plan) -> Tally:
    with child.started("bench.load", plan) as client:
        return _turns(client)


def _turns(client: Child) -> Tally:
    client.wait_prepared()
    client.take_turn()
    return client.take_turn()


async def _record(dsn: str) -> Erasure:
    async with connections.connected(dsn, "nocontent_control") as control:
        return await erasures.record(control, Subject(VICTIM, "tenant"))


def _found(dsn: str, recorded: Erasure) -> Erasure:
    async def find() -> Erasure | None:
        async with connections.connected(dsn, "nocontent_eraser") as connection:
            return await erasures.find(connection, recorded.erasure_id)

    found = asyncio.run(find())
    assert found is not None
    return found


async def _counts(dsn: str, recorded: Erasure) -> list[erasures.Count]:
    async with connections.connected(dsn, "nocontent_eraser") as connection:
        return await erasures.counts(connection, recorded)


def _settle(dsn: str) -> None:
    """Wait until what was stored so far is summed up."""
    while cluster.fetch(dsn, "SELECT EXISTS (SELECT FROM nocontent.usage_marks)")[0][0]:
        time.sleep(0.5)


def _kill(dsn: str, recorded: Erasure, args: argparse.Namespace, jobs: _Jobs) -> int:
    """Kill the jobs while the erasure is on its way; return how often."""
    kills = 0
    while kills < args.kills and _found(dsn, recorded).step != "finished":
        time.sleep(args.every)
        jobs.kill()
        kills += 1
        jobs.start()
    return kills


def _wait(dsn: str, recorded: Erasure) -> Erasure:
    with tqdm(desc="erasing", disable=not sys.stderr.isatty()) as bar:
        while (found := _found(dsn, recorded)).step != "finished":
            bar.set_description(found.step)
            time.sleep(0.5)
    return found


def _check(dsn: str, recorded: Erasure, folder: Path) -> list[str]:
    """Return what is wrong with the end of an erasure."""
    faults = []
    if cluster.fetch(dsn, _LEFT, VICTIM)[0][0]:
        faults.append("rows are left")
    if places := asyncio.run(_mentions(dsn)):
        faults.append(f"its name is still in {', '.join(sorted(places))}")
    logs = b"".join(path.read_bytes() for path in folder.glob("*.log"))
    faults += ["its name is in a log"] * (NAME.encode() in logs)
    ends = cluster.fetch(dsn, "SELECT count(*) FROM nocontent.audit WHERE act = 'erasure.finish'")[0][0]
    faults += [f"it ended {ends} times"] * (ends != 1)
    receipts = sorted(path.name for path in (folder / "erasures").iterdir())
    if receipts != [f"{recorded.erasure_id}.order.json", f"{recorded.erasure_id}.receipt.json"]:
        return [*faults, "there is not one order and one receipt"]
    return faults + _check_receipt((folder / "erasures" / receipts[1]).read_bytes(), folder)


def _check_receipt(raw: bytes, folder: Path) -> list[str]:
    known = keys.decode((folder / "keys.json").read_bytes())
    signing.verify(raw, known)
    changed = raw.replace(b'"erased":0', b'"erased":1', 1)
    try:
        signing.verify(changed, known)
    except InvalidReceipt:
        return [] if changed != raw else ["no byte was changed"]
    return ["a receipt with a byte changed verifies"]


async def _mentions(dsn: str) -> set[str]:
    """Return the tables of a whole dump that still have the tenant's name."""
    try:
        return {table async for table, piece in dump.dump(dsn) if piece is not None and NAME.encode() in piece}
    except asyncpg.PostgresError:
        return {"a table that cannot be read"}


if __name__ == "__main__":
    sys.exit(main())
