"""The files of bench/results. This module imports msgspec alone, so that the plots' environment can read them too."""

from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from bench.scenario import Scenario

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "bench/results"

_Kind = TypeVar("_Kind", bound=Struct)


class Spread(Struct, frozen=True):
    """The spread of a figure over the rounds."""

    median: float
    min: float
    max: float


class Machine(Struct, frozen=True, kw_only=True):
    """The machine of a run."""

    processor: str
    cores: int
    memory_gb: float
    kernel: str
    python: str
    packages: dict[str, str]
    fdatasync_us: float  # Median of syncing an 8 KiB write within a file, as PostgreSQL does with WAL.
    load_before: float  # The one-minute load average: above 0.5, other processes were running.


class Provenance(Struct, frozen=True, kw_only=True):
    """The time, the source and the machine of a run."""

    taken_at: str
    commit: str  # With `+` if files had been changed.
    machine: Machine
    postgres: dict[str, str]


class Trial(Struct, frozen=True, kw_only=True):
    """The figures of one round. CPU is per answered event, bytes are per stored row."""

    events_s: float
    requests_s: float
    ack_ms_p50: float
    ack_ms_p99: float
    ack_ms_p999: float
    ack_ms_max: float
    behind_ms_p99: float
    cpu_us_service: float
    cpu_us_postgres: float
    cpu_us_client: float
    wal_bytes_row: float
    heap_bytes_row: float
    index_bytes_row: float
    rss_mb_start: float
    rss_mb_end: float
    seconds: float
    rollup_lag_s: float = 0.0  # At the end; 0 without rollups.


class Cell(Struct, frozen=True):
    """A scenario and the spread of each figure of a `Trial`."""

    scenario: Scenario
    figures: dict[str, Spread]

    def medians(self) -> dict[str, float]:
        return {name: figure.median for name, figure in self.figures.items()}


class Results(Struct, frozen=True, kw_only=True):
    """The contents of latest.json and matrix.json. Top-level figures are medians; a missing one was not measured."""

    provenance: Provenance
    commit: str
    machine: str
    command: str
    rounds: int
    seconds_each: float
    ratio_raw_copy: dict[str, float | None]
    ratio_peers: dict[str, float | None]  # One worker of ours to one process of theirs.
    ratio_replayed_50: float | None  # To the same load without a replay.
    ratio_rollups: float | None = None  # To the same load without the jobs.
    rollup_lag_s: float | None = None
    ratio_columns: dict[str, float | None] = {}  # To raw COPY by workers; `cpu`: CPU of rows to that of columns.
    bytes_event: dict[str, float] = {}  # In a body of 1,000 events, by spelling.
    ack_ms_p99: dict[str, float]
    bytes_row: dict[str, float]
    rss_growth: float | None
    ratio_spreads: dict[str, Spread]
    skipped: dict[str, str]
    cells: dict[str, Cell]


class Size(Struct, frozen=True, kw_only=True):
    """The contents of a database before the load."""

    rows: int = 0
    partitions: int = 39  # 30 days of retention, seven ahead, today, and a day of grace.
    tenants: int = 1
    terms: int = 0  # The tenants' tag values, in addition to the few that all have.


class Point(Struct, frozen=True, kw_only=True):
    """The cost of one size."""

    size: Size
    events_s: Spread
    ratio: Spread  # Ratio to the empty database, round by round.


class Growth(Struct, frozen=True, kw_only=True):
    """The contents of growth.json."""

    provenance: Provenance
    command: str
    rounds: int
    points: dict[str, Point]


class Read(Struct, frozen=True, kw_only=True):
    """One query on one tenant."""

    query: str
    source: str
    tenant: str
    rows_read: int
    first_ms: float
    median_ms: float
    plan: list[str]  # Of the tenant in the middle, from the view and the rollups.


class Reads(Struct, frozen=True, kw_only=True):
    """The contents of reads.json."""

    provenance: Provenance
    command: str
    rows: int
    days: int
    tenants: int
    rollup_s: float = 0.0  # For the job to sum all rows again, as after an upgrade.
    reads: list[Read]


class PageTimes(Struct, frozen=True, kw_only=True):
    """A page of the console, as a browser on the same machine waits for it."""

    page: str
    first_ms: float
    p50_ms: float
    p95_ms: float
    bytes: int  # Compressed, without headers.


class Stored(Struct, frozen=True, kw_only=True):
    """Ingestion: medians of the rounds."""

    events_s: float
    ack_ms_p50: float
    ack_ms_p99: float


class Viewing(Struct, frozen=True, kw_only=True):
    """The contents of console.json."""

    provenance: Provenance
    command: str
    events: int  # Of the tenant, in a year.
    rows: int
    pages: list[PageTimes]
    first_view_bytes: int  # The overview and all that it loads, with headers.
    interactive_ms: float | None
    viewers: int
    every_s: float  # Between two pages of a viewer.
    alone: Stored
    beside: Stored


class Micro(Struct, frozen=True, kw_only=True):
    """The contents of micro.json."""

    commit: str
    python: str
    rounds: int
    ns_an_event: dict[str, Spread]


class Reporting(Struct, frozen=True, kw_only=True):
    """The contents of reporter.json: CPU time of a proxy."""

    commit: str
    python: str
    rounds: int
    us_an_event: dict[str, Spread]


class GatewayResults(Struct, frozen=True, kw_only=True):
    """The contents of gateway.json. Figures of a system, by name: docs/performance.md says what they are."""

    taken_at: str
    commit: str
    machine: Machine
    command: str
    rounds: int
    seconds_each: float
    idle_streams: int
    systems: dict[str, dict[str, Spread]]
    ratio_litellm: float | None  # Of JSON requests a second at 32 connections.
    ratio_starlette: float | None
    skipped: dict[str, str]


def write(name: str, content: Struct) -> Path:
    """Write a file of figures."""
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{name}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(content), indent=1) + b"\n")
    return path


def read(name: str, kind: type[_Kind]) -> _Kind:
    return msgspec.json.decode((FOLDER / f"{name}.json").read_bytes(), type=kind)
