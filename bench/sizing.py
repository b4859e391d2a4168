"""Sizes from figures: events a second for each core, bytes an event, and what a rate asks for."""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from bench.results import Cell, Results
from ingest.store import rows

BUSY_MAX = 0.6  # Of a core: the rest is for peaks, checkpoints, vacuum, reading, and a node that is away.
JSON_BYTES = 584  # An event of the bench's bodies, uncompressed.
DAY_S = 86_400
RETENTION_DAYS = 30  # The service's default.
RATES = (1_000, 10_000, 100_000, 1_000_000)
_SHOWN = {
    "batch-5000": "5,000",
    "ours-1": "1,000",
    "tenants-100": "1,000, of 100 tenants in turn",
    "batch-100": "100",
    "batch-10": "10",
    "batch-1": "1",
}
PLANNED = "tenants-100"
_UNITS = ("B", "KB", "MB", "GB", "TB")
_WHOLE_FROM = 100


def load(path: Path) -> Mapping[str, Cell]:
    return msgspec.json.decode(path.read_bytes(), type=Results).cells


def per_core(path: Path) -> Iterator[Sequence[str]]:
    """Give the rows of the table by size of batch."""
    cells = load(path)
    yield "events a batch", "events/s a core of the service", "of PostgreSQL", "B on disk", "heap + key", "B of WAL"
    for name, says in _SHOWN.items():
        if name not in cells:
            continue
        own = _median(cells[name])
        yield (
            says,
            f"{1e6 / own['cpu_us_service']:,.0f}",
            f"{1e6 / own['cpu_us_postgres']:,.0f}",
            f"{_disk_bytes(own):.0f}",
            f"{own['heap_bytes_row']:.0f} + {own['index_bytes_row']:.0f}",
            f"{own['wal_bytes_row']:.0f}",
        )


def rates(path: Path) -> Iterator[Sequence[str]]:
    """Give the rows of the table by rate, for batches of 1,000 of a hundred tenants."""
    own = _median(load(path)[PLANNED])
    yield "events/s", *(f"{rate:,}" for rate in RATES)
    for says, each, form in (
        ("vCPU of the service", own["cpu_us_service"] / 1e6 / BUSY_MAX, _cores),
        ("vCPU of PostgreSQL, one copy", own["cpu_us_postgres"] / 1e6 / BUSY_MAX, _cores),
        ("disk a day, one copy", _disk_bytes(own) * DAY_S, _bytes),
        (f"disk for {RETENTION_DAYS} days, one copy", _disk_bytes(own) * DAY_S * RETENTION_DAYS, _bytes),
        ("WAL a second", own["wal_bytes_row"], _bytes),
        ("WAL a day", own["wal_bytes_row"] * DAY_S, _bytes),
        ("from senders, JSON, a second", float(JSON_BYTES), _bytes),
        ("service to PostgreSQL, a second", float(rows.ROW_BYTES), _bytes),
    ):
        yield says, *(form(each * rate) for rate in RATES)


def _median(cell: Cell) -> dict[str, float]:
    return {name: spread.median for name, spread in cell.figures.items()}


def _disk_bytes(own: Mapping[str, float]) -> float:
    return own["heap_bytes_row"] + own["index_bytes_row"]


def _cores(count: float) -> str:
    return f"{math.ceil(count * 10) / 10:,.1f}"


def _bytes(count: float) -> str:
    power = int(math.log10(count)) // 3
    shown = count / 1_000**power
    return f"{shown:,.{1 if shown < _WHOLE_FROM else 0}f} {_UNITS[power]}"
