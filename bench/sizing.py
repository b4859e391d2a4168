"""Sizing from figures: events per second and core, bytes per event, and the resources that a rate needs."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

from bench.results import Cell
from ingest.intake.queue import GROUP_ROWS_MAX
from ingest.store import rows
from ingest.store.partitions import AHEAD_DAYS

BUSY_MAX = 0.6  # Of a core: the rest is for peaks, checkpoints, vacuum, reads, and a failed node.
JSON_BYTES = 584  # An event in the benchmark's bodies, uncompressed.
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
_BEYOND_DAYS = AHEAD_DAYS + 2  # Days ahead, today, and the day at the edge of retention.
_UNITS = ("B", "KB", "MB", "GB", "TB", "PB")
_WHOLE_FROM = 100


def per_core(cells: Mapping[str, Cell]) -> Iterator[Sequence[str]]:
    """Yield the rows of the table by batch size."""
    yield "events a batch", "events/s a core of the service", "of PostgreSQL", "B on disk", "heap + key", "B of WAL"
    for name, says in _SHOWN.items():
        if name not in cells:
            continue
        own = cells[name].medians()
        yield (
            says,
            f"{1e6 / own['cpu_us_service']:,.0f}",
            f"{1e6 / own['cpu_us_postgres']:,.0f}",
            f"{_disk_bytes(own):.0f}",
            f"{own['heap_bytes_row']:.0f} + {own['index_bytes_row']:.0f}",
            f"{own['wal_bytes_row']:.0f}",
        )


def rates(cells: Mapping[str, Cell]) -> Iterator[Sequence[str]]:
    """Yield the rows of the table by rate, for batches of 1,000 from a hundred tenants."""
    own = cells[PLANNED].medians()
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


# The plan: deployments side by side, each below the rate that was stored with everything on two cores.
CELLS, COPIES, STANDBYS = 8, 3, 2
SERVICE_NODES, NODE_VCPU, POSTGRES_VCPU = 2, 2, 4
CONNECTIONS_A_WORKER = 5  # A writer, the refresher, the maintainer, two for requests.
HOURS_A_MONTH = 730


def million(cells: Mapping[str, Cell]) -> Iterator[Sequence[str]]:
    """Yield the rows of the plan for the highest rate."""
    own = cells[PLANNED].medians()
    rate = RATES[-1] / CELLS
    day = rate * DAY_S * _disk_bytes(own)
    wal = rate * own["wal_bytes_row"]
    busy = {name: rate * own[name] / 1e6 / BUSY_MAX for name in ("cpu_us_service", "cpu_us_postgres")}
    vcpu = SERVICE_NODES * NODE_VCPU, COPIES * POSTGRES_VCPU
    connections = SERVICE_NODES * NODE_VCPU * CONNECTIONS_A_WORKER
    yield "", "each cell", f"all {CELLS}", "how"
    yield "events/s", f"{rate:,.0f}", f"{rate * CELLS:,.0f}", f"stored on 2 shared cores: {own['events_s']:,.0f}"
    yield (
        "service",
        f"{SERVICE_NODES} × {NODE_VCPU} vCPU",
        f"{vcpu[0] * CELLS} vCPU",
        f"{_cores(busy['cpu_us_service'])} asked for; one node may be away",
    )
    yield (
        "PostgreSQL",
        f"{COPIES} × {POSTGRES_VCPU} vCPU",
        f"{vcpu[1] * CELLS} vCPU",
        f"{_cores(busy['cpu_us_postgres'])} asked for by storing; the rest for vacuum, standbys, readers",
    )
    yield "vCPU-hours a month", *_both(sum(vcpu) * HOURS_A_MONTH, "{:,.0f}".format), f"{HOURS_A_MONTH} hours"
    yield "disk a day, one copy", *_both(day, _bytes), f"{_disk_bytes(own):.0f} B an event"
    for days in (7, RETENTION_DAYS):
        yield f"disk for {days} days, {COPIES} copies", *_both(day * days * COPIES, _bytes), ""
    yield "WAL a second", *_both(wal, _bytes), f"{own['wal_bytes_row']:.0f} B an event"
    yield "it leaves the primary", *_both(wal * (STANDBYS + 1), _bytes), f"to {STANDBYS} standbys and the archive"
    yield "archive of 7 days", *_both(wal * DAY_S * 7, _bytes), "before compression"
    yield "from senders a second", *_both(rate * JSON_BYTES, _bytes), "JSON; about a tenth with zstd"
    yield "to PostgreSQL a second", *_both(rate * rows.ROW_BYTES, _bytes), f"rows of {rows.ROW_BYTES} B"
    for days in (7, RETENTION_DAYS):
        yield f"partitions at {days} days", *_both(days + _BEYOND_DAYS, "{:,.0f}".format), "400 cost nothing measurable"
    yield "connections to the primary", *_both(connections, "{:,.0f}".format), "a worker for each vCPU"
    yield "flushes a second, at least", *_both(rate / GROUP_ROWS_MAX, "{:,.0f}".format), f"of {GROUP_ROWS_MAX:,} events"


def _both(each: float, form: Callable[[float], str]) -> tuple[str, str]:
    return form(each), form(each * CELLS)


def _disk_bytes(own: Mapping[str, float]) -> float:
    return own["heap_bytes_row"] + own["index_bytes_row"]


def _cores(count: float) -> str:
    return f"{math.ceil(count * 10) / 10:,.1f}"


def _bytes(count: float) -> str:
    power = int(math.log10(count)) // 3
    shown = count / 1_000**power
    return f"{shown:,.{1 if shown < _WHOLE_FROM else 0}f} {_UNITS[power]}"
