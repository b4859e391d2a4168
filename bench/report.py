"""`python -m bench.report`: write the figures of bench/results into pages of docs, between their marks."""

import operator
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from bench import results, sizing
from bench.aims import Aim
from bench.classifier.tables import TABLES
from bench.gateway import tables
from bench.results import ROOT, Cell, GatewayResults, Growth, Micro, Provenance, Reads, Reporting, Results, Viewing
from bench.scenario import NAMES

PAGES = tuple(ROOT / "docs" / name for name in ("performance.md", "operations.md", "routing.md", "scaling.md"))
_MARK = re.compile(r"(<!-- figures: ([a-z]+) -->\n).*?(<!-- end -->)", re.DOTALL)

_AT_LEAST, _AT_MOST = operator.ge, operator.le
AIMS: tuple[Aim[Results], ...] = (
    Aim("1 worker, × raw asyncpg COPY", lambda found: found.ratio_raw_copy["workers_1"], _AT_LEAST, 0.6),
    Aim("2 workers, × raw asyncpg COPY", lambda found: found.ratio_raw_copy["workers_2"], _AT_LEAST, 0.75),
    Aim("× FastAPI + SQLAlchemy", lambda found: found.ratio_peers["fastapi_sqlalchemy"], _AT_LEAST, 12),
    Aim("× FastAPI + asyncpg COPY", lambda found: found.ratio_peers["fastapi_copy"], _AT_LEAST, 6),
    Aim("× Node + unnest", lambda found: found.ratio_peers["node_unnest"], _AT_LEAST, 3),
    Aim("× Phoenix", lambda found: found.ratio_peers["phoenix"], _AT_LEAST, 1_000),
    Aim("throughput with half of the batches replayed, ×", lambda found: found.ratio_replayed_50, _AT_LEAST, 0.9),
    Aim("throughput with rollups, × without", lambda found: found.ratio_rollups, _AT_LEAST, 0.95),
    Aim("lag of rollups at full load, s", lambda found: found.rollup_lag_s, _AT_MOST, 60),
    Aim("columns, 1 worker, × raw asyncpg COPY", lambda found: found.ratio_columns.get("workers_1"), _AT_LEAST, 0.8),
    Aim("columns, 2 workers, × raw asyncpg COPY", lambda found: found.ratio_columns.get("workers_2"), _AT_LEAST, 0.9),
    Aim("CPU of the service: rows, × columns", lambda found: found.ratio_columns.get("cpu"), _AT_LEAST, 1.6),
    Aim("bytes an event in columns", lambda found: found.bytes_event.get("columns"), _AT_MOST, 130),
    Aim("p99 at 100,000 events/s, ms", lambda found: found.ack_ms_p99.get("100k"), _AT_MOST, 8),
    Aim("p99 at 300,000 events/s, ms", lambda found: found.ack_ms_p99.get("300k"), _AT_MOST, 15),
    Aim("heap bytes a row", lambda found: found.bytes_row.get("heap"), _AT_MOST, 130),
    Aim("WAL bytes a row, with the key", lambda found: found.bytes_row.get("wal"), _AT_MOST, 215),
    Aim("growth of RSS over the soak", lambda found: found.rss_growth, _AT_MOST, 0.1),
)


def main() -> int:
    """Rewrite the pages."""
    for page in PAGES:
        page.write_text(filled(page.read_text("utf-8")), "utf-8")
    return 0


def filled(text: str) -> str:
    """Return the page with the figures of bench/results."""
    return _MARK.sub(lambda found: f"{found[1]}\n" + "\n".join(_PARTS[found[2]]()) + f"\n\n{found[3]}", text)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], texts: int = 1) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield "|" + "---|" * texts + "---:|" * (len(heads) - texts)
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _taken(provenance: Provenance, command: str, rounds: int | None = None) -> Iterator[str]:
    machine = provenance.machine
    how = f"; medians of {rounds} interleaved rounds" if rounds else ""
    yield (
        f"`{command}` at {provenance.commit} on {provenance.taken_at[:10]}: {machine.cores} cores of"
        f" {machine.processor}, {machine.memory_gb:.0f} GB, Python {machine.python}, PostgreSQL"
        f" {provenance.postgres['server_version']}, fdatasync {machine.fdatasync_us:.0f} µs{how}."
    )
    yield ""


def _aims() -> Iterator[str]:
    found = results.read("latest", Results)
    yield from _taken(found.provenance, found.command, found.rounds)
    yield from _table(("", "aim", "measured", "reached"), [aim.row(found) for aim in AIMS])
    for name, why in found.skipped.items():
        yield f"\nNot measured: {name}, {why}."


def _headline() -> Iterator[str]:
    cells = results.read("latest", Results).cells
    yield from _cells({NAMES[name]: cell for name, cell in cells.items() if name in NAMES})


def _matrix() -> Iterator[str]:
    found = results.read("matrix", Results)
    yield from _taken(found.provenance, found.command, found.rounds)
    yield from _cells(found.cells)


def _cells(cells: Mapping[str, Cell]) -> Iterator[str]:
    heads = (
        "", "events/s", "lowest – highest", "p50 ms", "p99 ms", "CPU µs an event: service", "PostgreSQL", "sender",
        "WAL B a row", "heap", "key", "RSS MB",
    )  # fmt: skip
    yield from _table(heads, [_cell(name, cell) for name, cell in cells.items()])


def _cell(name: str, cell: Cell) -> Sequence[str]:
    median = cell.medians()
    speed = cell.figures["events_s"]
    is_raw = cell.scenario.system.startswith("raw")
    return (
        name,
        f"{speed.median:,.0f}",
        f"{speed.min:,.0f} – {speed.max:,.0f}",
        *(("", "") if is_raw else (f"{median['ack_ms_p50']:.1f}", f"{median['ack_ms_p99']:.1f}")),
        *(f"{median[figure]:.2f}" for figure in ("cpu_us_service", "cpu_us_postgres", "cpu_us_client")),
        *(f"{median[figure]:.0f}" for figure in ("wal_bytes_row", "heap_bytes_row", "index_bytes_row", "rss_mb_end")),
    )


def _growth() -> Iterator[str]:
    growth = results.read("growth", Growth)
    yield from _taken(growth.provenance, growth.command, growth.rounds)
    heads = ("", "rows", "partitions", "tenants", "terms", "events/s", "× empty", "lowest – highest")
    yield from _table(
        heads,
        [
            (
                name,
                *(f"{size:,}" for size in (point.size.rows, point.size.partitions, point.size.tenants)),
                f"{point.size.terms:,}",
                f"{point.events_s.median:,.0f}",
                f"{point.ratio.median:.2f}",
                f"{point.ratio.min:.2f} – {point.ratio.max:.2f}",
            )
            for name, point in growth.points.items()
        ],
    )


def _reads() -> Iterator[str]:
    reads = results.read("reads", Reads)
    yield from _taken(reads.provenance, reads.command)
    yield f"{reads.rows:,} rows of {reads.days} days and {reads.tenants} tenants:\n"
    if reads.rollup_s:
        yield f"The job took {reads.rollup_s:,.0f} s to sum all of these again, as after an upgrade.\n"
    heads = ("query", "from", "tenant", "rows it reads", "first ms", "median ms")
    rows = [
        (read.query, read.source, read.tenant, f"{read.rows_read:,}", f"{read.first_ms:,.0f}", f"{read.median_ms:,.0f}")
        for read in reads.reads
    ]
    yield from _table(heads, rows, texts=3)


def _plans() -> Iterator[str]:
    for read in results.read("reads", Reads).reads:
        if read.plan:
            yield f"\n{read.query}:\n\n```"
            yield from _short(read.plan)
            yield "```"


def _short(plan: Sequence[str]) -> Iterator[str]:
    """Yield a plan with one partition of each kind, because the others look the same."""
    seen = set()
    for line in plan:
        kind = re.sub(r"events_p?\d+", "events_*", re.sub(r"\d+(\.\d+)?", "0", line))
        if kind not in seen or not line.startswith("      "):
            yield line
        seen.add(kind)


def _console() -> Iterator[str]:
    found = results.read("console", Viewing)
    yield from _taken(found.provenance, found.command)
    yield f"A tenant with {found.events:,} events a year, which are {found.rows:,} rows of rollups:\n"
    rows = [
        (page.page, f"{page.bytes:,}", f"{page.first_ms:,.0f}", f"{page.p50_ms:,.1f}", f"{page.p95_ms:,.1f}")
        for page in found.pages
    ]
    yield from _table(("page", "bytes", "first ms", "p50 ms", "p95 ms"), rows)
    interactive = (
        "" if found.interactive_ms is None else f" Chromium has run its scripts after {found.interactive_ms:,.0f} ms."
    )
    yield f"\nThe first view of the overview takes {found.first_view_bytes:,} bytes over the wire.{interactive}\n"
    kinds = {
        "alone": found.alone,
        f"beside {found.viewers} viewers, each with a page every {found.every_s:g} s": found.beside,
    }
    heads = ("ingestion", "events/s", "× alone", "p50 ms", "p99 ms")
    yield from _table(
        heads,
        [
            (
                name,
                f"{each.events_s:,.0f}",
                f"{each.events_s / found.alone.events_s:.2f}",
                f"{each.ack_ms_p50:.1f}",
                f"{each.ack_ms_p99:.1f}",
            )
            for name, each in kinds.items()
        ],
    )


def _gateway() -> Iterator[str]:
    found = results.read("gateway", GatewayResults)
    yield from tables.taken(found)
    yield from _table(("", "aim", "measured", "reached"), tables.aims(found))
    yield ""
    yield from _table(tables.HEADS, tables.rows(found))
    for name, why in found.skipped.items():
        yield f"\nNot measured: {tables.NAMES[name]}, {why}."


def _micro() -> Iterator[str]:
    micro = results.read("micro", Micro)
    yield f"`python -m bench.micro` at {micro.commit}, Python {micro.python}, {micro.rounds} rounds.\n"
    rows = [(name, f"{each.median:,.0f}", f"{each.min:,.0f}") for name, each in micro.ns_an_event.items()]
    yield from _table(("step", "ns an event, median", "lowest"), rows)


def _reporter() -> Iterator[str]:
    found = results.read("reporter", Reporting)
    yield f"`python -m bench.reporter` at {found.commit}, Python {found.python}, {found.rounds} rounds.\n"
    rows = [(name, f"{each.median:,.1f}", f"{each.min:,.1f}") for name, each in found.us_an_event.items()]
    yield from _table(("CPU of a proxy", "µs an event, median", "lowest"), rows)


def _sized(rows: Callable[[Mapping[str, Cell]], Iterator[Sequence[str]]]) -> Iterator[str]:
    heads, *found = rows(results.read("matrix", Results).cells)
    yield from _table(heads, found)


_PARTS: Mapping[str, Callable[[], Iterator[str]]] = {
    "aims": _aims,
    "headline": _headline,
    "matrix": _matrix,
    "growth": _growth,
    "reads": _reads,
    "plans": _plans,
    "console": _console,
    "gateway": _gateway,
    "micro": _micro,
    "reporter": _reporter,
    "cores": partial(_sized, sizing.per_core),
    "rates": partial(_sized, sizing.rates),
    "million": partial(_sized, sizing.million),
    **TABLES,
}


if __name__ == "__main__":
    sys.exit(main())
