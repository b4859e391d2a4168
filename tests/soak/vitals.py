"""A running service as seen from outside: memory and CPU of its workers, readiness, series of its metrics."""

import asyncio
import itertools
import os
import re
import statistics
import time
import urllib.request
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from tests.support.connection import Connection, NoAnswer, get
from tests.support.service import Server

POLL_S = 0.1
MEGABYTE = 1_000_000
PROBES = ("/readyz", "/livez")


class Sample(NamedTuple):
    """A sample of all workers together."""

    at: float
    rss_bytes: int


class Workers:
    """The worker processes, sampled by calls of `look`."""

    def __init__(self, server: Server) -> None:
        self.pids = server.workers()
        self.samples: list[Sample] = []
        self.look()

    def look(self) -> int:
        """Take a sample, and return its bytes."""
        self.samples.append(Sample(time.monotonic(), sum(_status_bytes(pid, "VmRSS") for pid in self.pids)))
        return self.samples[-1].rss_bytes

    def most_bytes(self, from_at: float, to_at: float = float("inf")) -> int:
        """Return the largest sample in a span of time."""
        return max(sample.rss_bytes for sample in self.samples if from_at <= sample.at <= to_at)

    def peak_bytes(self) -> int:
        """Return the peak that the kernel recorded, also between samples."""
        return sum(_status_bytes(pid, "VmHWM") for pid in self.pids)

    def cpu_s(self) -> float:
        """Return the CPU time of the workers so far."""
        return sum(_cpu_s(pid) for pid in self.pids)


def _status_bytes(pid: int, name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1_024


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass
class Health:
    """The probes' responses, requested as by a load balancer: over a new connection each time."""

    waits_s: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        asked, slowest_ms = len(self.waits_s), max(self.waits_s, default=0.0) * 1e3
        return f"ready and alive {asked - len(self.failures):,} of {asked:,} times, slowest {slowest_ms:.0f} ms"

    async def poll(self, bind: str) -> None:
        """Request the probes until cancelled."""
        for path in itertools.cycle(PROBES):
            began_at = time.monotonic()
            connection = Connection(bind)
            try:
                (answer,) = await connection.exchange(get(path))
                if answer.status != 200:
                    self.failures.append(f"{path} answered {answer.status}")
            except NoAnswer as lost:
                self.failures.append(f"{path} did not answer: {lost}")
            finally:
                connection.close()
            self.waits_s.append(time.monotonic() - began_at)
            await asyncio.sleep(POLL_S)


@asynccontextmanager
async def polled(bind: str) -> AsyncIterator[Health]:
    """Request the probes until the block ends."""
    health = Health()
    polling = asyncio.create_task(health.poll(bind))
    try:
        yield health
    finally:
        polling.cancel()
        await asyncio.wait({polling})


def series(server: Server) -> set[str]:
    """Return every series of /metrics, by its name and labels."""
    with urllib.request.urlopen(f"http://{server.metrics_bind}/metrics", timeout=30) as metrics:
        lines = metrics.read().decode("ascii").splitlines()
    return {line.rpartition(" ")[0] for line in lines if not line.startswith("#")}


class Spread(NamedTuple):
    """Median and 99th percentile."""

    p50_ms: float
    p99_ms: float

    def __str__(self) -> str:
        return f"p50 {self.p50_ms:.1f} ms, p99 {self.p99_ms:.1f} ms"


def spread(waits_s: Sequence[float]) -> Spread:
    """Return the median and the 99th percentile of times."""
    ordered = sorted(waits_s)
    return Spread(statistics.median(ordered) * 1e3, ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)] * 1e3)


async def until(holds: Callable[[], bool], seconds: float) -> bool:
    """Wait for a condition, and return whether it became true in time."""
    give_up_at = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > give_up_at:
            return False
        await asyncio.sleep(0.05)
    return True
