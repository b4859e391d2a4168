"""Reports once a second, even without the database, that a worker is alive and what it uses."""

import asyncio
import os
import time
import weakref
from collections.abc import Callable, Collection
from pathlib import Path

from ingest import logs
from ingest.serving import metrics

HEARTBEAT_S = 1.0
PROBES = 10  # Of the event loop, between two beats.
_STATM = Path("/proc/self/statm")  # proc_pid_statm(5): sizes in pages, the second the resident one. Linux alone.
_STATM_BYTES_MAX = 256


class Heartbeat:
    """Sets the metrics that no request would set; `report` sets those of the application."""

    def __init__(self, broken: Collection[str], report: Callable[[], None] = lambda: None) -> None:
        self._broken = broken
        self._report = report
        self._cpu_s = 0.0
        self._lost: dict[str, int] = {}
        # Opened once, because later there may be no descriptor left.
        self._statm = os.open(_STATM, os.O_RDONLY) if _STATM.exists() else None
        if self._statm is not None:
            weakref.finalize(self, os.close, self._statm)

    async def run(self) -> None:
        """Beat until cancelled."""
        while True:
            self.beat()
            for _ in range(PROBES):
                due_at = time.monotonic() + HEARTBEAT_S / PROBES
                await asyncio.sleep(HEARTBEAT_S / PROBES)
                metrics.loop_lag_seconds.observe(max(0.0, time.monotonic() - due_at))

    def beat(self) -> None:
        metrics.workers.set(1)
        metrics.pulse_timestamp_seconds.set_to_current_time()
        metrics.broken_tasks.set(len(self._broken))
        self._report()
        cpu_s = time.process_time()
        metrics.cpu_seconds.inc(cpu_s - self._cpu_s)
        self._cpu_s = cpu_s
        for reason, count in logs.lost().items():
            metrics.log_lines_lost.labels(reason).inc(count - self._lost.get(reason, 0))
            self._lost[reason] = count
        if self._statm is not None:
            pages = os.pread(self._statm, _STATM_BYTES_MAX, 0).split()[1]
            metrics.resident_bytes.set(int(pages) * os.sysconf("SC_PAGE_SIZE"))
