"""Spools, and batches to put into them."""

import time
from collections import Counter
from pathlib import Path

from nocontent_reporter import codings, columns
from nocontent_reporter.spool import Bounds
from nocontent_reporter.storage import Storage
from tests.reporter.reported import event

LARGE = Bounds(2**30, 2**60)
NOW_MS = time.time_ns() // 1_000_000
DAY_MS = 86_400_000


def packed(events: int = 1) -> tuple[int, bytes]:
    return events, codings.pack(columns.encode([event() for _ in range(events)]))


def storage_of(path: Path | None, faults: Counter[str]) -> Storage:
    return Storage(path, LARGE, LARGE, lambda name: faults.update([name]))
