"""Exports of many rows: seconds, memory above idle, a cut and its resumption, and ingestion beside it.

`python -m bench.exports --rows 20000000` fills a database once, and exports it in each format.
"""

import argparse
import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import msgspec
from tqdm import tqdm

from bench import filling
from bench.filling import Shape
from bench.results import ROOT
from ingest import embedded
from ingest.rights.exporting.manifest import Manifest
from ingest.store import batches, connections, migrate, partitions
from tests.support import entries, sample

_DAYS = 20
_TENANT = "INSERT INTO nocontent.tenants (tenant_id, name, revision) VALUES (1, 'acme', 1)"
_RECOUNT = """
INSERT INTO nocontent.usage_marks (tenant_id, first, last, events, xid)
VALUES (1, now() - interval '40 days', now() + interval '1 day', 0, NULL)
"""
_IDLE = "import time; from ingest.cli import export; print(flush=True); time.sleep(60)"
_PARQUET_IDLE = f"import pyarrow.parquet; {_IDLE}"


def main() -> int:
    """Fill, export in each format, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m bench.exports", description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--rows-per-second", type=int, default=1_000_000_000, help="(default: as fast as it can)")
    parser.add_argument("--data-dir", type=Path, default=ROOT / ".bench", help="folder for PostgreSQL and the exports")
    args = parser.parse_args()
    args.data_dir.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="exports-", dir=args.data_dir))
    folder.chmod(0o711)  # PostgreSQL's account passes through.
    try:
        settings = {"shared_buffers": "512MB", "max_wal_size": "8GB", "synchronous_commit": "on"}
        with embedded.start(folder / "pg", settings=settings) as server:
            asyncio.run(_fill(server.dsn, args.rows))
            alone = asyncio.run(_ingested(server.dsn, 5.0))
            for form in ("jsonl", "csv", "parquet"):
                _measure(server.dsn, folder / form, args.rows_per_second, alone)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


async def _fill(dsn: str, rows: int) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await migrate.migrate(connection)
        await connection.execute(_TENANT)
    finally:
        await connection.close()
    async with connections.connected(dsn, "nocontent_maintainer") as maintainer:
        await partitions.keep(maintainer, 30)
    connection = await asyncpg.connect(dsn)
    try:  # The rows have no marks of their own, so the export compares no day.
        await connection.execute(_RECOUNT)
    finally:
        await connection.close()
    with tqdm(total=rows, unit="row", unit_scale=True, disable=not sys.stderr.isatty()) as bar:
        await filling.fill(dsn, rows, Shape(_DAYS, 1), bar.update)


async def _ingested(dsn: str, seconds: float, process: "subprocess.Popen[bytes] | None" = None) -> float:
    """Store batches of 100 events for some seconds, or until a process ends; return the events a second."""
    stored, began = 0, time.monotonic()
    async with connections.connected(dsn, "nocontent_writer") as writer:
        while (process is None or process.poll() is None) and time.monotonic() - began < seconds:
            await batches.store(writer, [entries.entry(*(sample.event() for _ in range(100)))])
            stored += 100
    return stored / (time.monotonic() - began)


def _measure(dsn: str, folder: Path, pace: int, alone: float) -> None:
    """Export into a folder, kill it halfway, go on, and print a line."""
    form = folder.name
    idle = _idle(_PARQUET_IDLE if form == "parquet" else _IDLE)
    command = [sys.executable, "-m", "ingest", "export", "acme", str(folder), "--format", form]
    command += ["--rows-per-second", str(pace)]
    began = time.monotonic()
    with _run(command, dsn) as process:
        while len([*folder.glob("events/*")]) < _DAYS // 2 and process.poll() is None:
            time.sleep(0.05)
        killed_peak = _peak(process.pid)
        process.send_signal(signal.SIGKILL)
    peak = killed_peak
    with _run(command, dsn) as process:
        beside = asyncio.run(_ingested(dsn, 10.0, process))
        while process.poll() is None:
            peak = max(peak, _peak(process.pid))
            time.sleep(0.05)
    assert process.returncode == 0, "the export failed"
    seconds = time.monotonic() - began
    done = msgspec.json.decode((folder / "manifest.json").read_bytes(), type=Manifest)
    size = sum(part.bytes for part in done.files)
    print(
        f"{form:8} {done.rows['events']:>12,} events  {seconds:7.1f} s  {size / 1e6:>8,.0f} MB"
        f"  RSS {(peak - idle) / 1e6:5.0f} MB above idle  ingestion beside it {beside / alone:.2f}x"
    )
    shutil.rmtree(folder)


def _idle(program: str) -> int:
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        idle = _peak(process.pid)
        process.kill()
    return idle


def _peak(pid: int) -> int:
    """Return the greatest resident memory that a process has had, in bytes; 0 if it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)


@contextmanager
def _run(command: list[str], dsn: str) -> Iterator["subprocess.Popen[bytes]"]:
    environment = {**os.environ, "NOCONTENT_DSN": dsn}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL) as process:
        yield process


if __name__ == "__main__":
    sys.exit(main())
