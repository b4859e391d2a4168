"""`python -m bench.report`: write the figures of bench/results into pages of docs, between their marks."""

import operator
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from bench import sizing
from bench.child import ROOT
from bench.growth import Growth
from bench.machine import Provenance
from bench.micro import Micro
from bench.reads import Reads
from bench.results import FOLDER, Cell, Results

PAGES = tuple(ROOT / "docs" / name for name in ("performance.md", "operations.md", "scaling.md"))
_MARK = re.compile(r"(<!-- figures: ([a-z]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_NAMES = {
    "raw-server-copy": "PostgreSQL: `COPY` from a file",
    "raw-asyncpg-copy": "asyncpg: `COPY`, ledger, 8,000 rows a commit",
    "ours-1": "**nocontent, 1 worker**",
    "ours-2": "**nocontent, 2 workers**",
    "replayed-50": "nocontent, half of the batches replayed",
    "fastapi_sqlalchemy": "FastAPI, pydantic, SQLAlchemy",
    "fastapi_copy": "FastAPI, pydantic, asyncpg `COPY`",
    "node_unnest": "Node: fastify, `INSERT … unnest`",
    "phoenix": "Arize Phoenix (spans)",
}


class Aim(NamedTuple):
    """A performance target of the project."""

    says: str
    figure: Callable[[Results], float | None]
    reaches: Callable[[float, float], bool]
    bar: float

    def row(self, results: Results) -> Sequence[str]:
        found = self.figure(results)
        sign = "≥" if self.reaches is operator.ge else "≤"
        if found is None:
            return self.says, f"{sign} {self.bar:,g}", "not measured", ""
        return self.says, f"{sign} {self.bar:,g}", f"{found:,.3g}", "yes" if self.reaches(found, self.bar) else "**no**"


_AT_LEAST, _AT_MOST = operator.ge, operator.le
AIMS = (
    Aim("1 worker, × raw asyncpg COPY", lambda found: found.ratio_raw_copy["workers_1"], _AT_LEAST, 0.6),
    Aim("2 workers, × raw asyncpg COPY", lambda found: found.ratio_raw_copy["workers_2"], _AT_LEAST, 0.75),
    Aim("× FastAPI + SQLAlchemy", lambda found: found.ratio_peers["fastapi_sqlalchemy"], _AT_LEAST, 12),
    Aim("× FastAPI + asyncpg COPY", lambda found: found.ratio_peers["fastapi_copy"], _AT_LEAST, 6),
    Aim("× Node + unnest", lambda found: found.ratio_peers["node_unnest"], _AT_LEAST, 3),
    Aim("× Phoenix", lambda found: found.ratio_peers["phoenix"], _AT_LEAST, 1_000),
    Aim("throughput with half of the batches replayed, ×", lambda found: found.ratio_replayed_50, _AT_LEAST, 0.9),
    Aim("p99 at 100,000 events/s, ms", lambda found: found.ack_ms_p99.get("100k"), _AT_MOST, 8),
    Aim("p99 at 300,000 events/s, ms", lambda found: found.ack_ms_p99.get("300k"), _AT_MOST, 15),
    Aim("heap bytes a row", lambda found: found.bytes_row.get("heap"), _AT_MOST, 130),
    Aim("WAL bytes a row, with the key", lambda found: found.bytes_row.get("wal"), _AT_MOST, 215),
    Aim("growth of RSS over the soak", lambda found: found.rss_growth, _AT_MOST, 0.1),
)


def main() -> int:
    """Rewrite the pages, and print the parts that have no figures yet."""
    for page in PAGES:
        text, missing = filled(page.read_text("utf-8"))
        page.write_text(text, "utf-8")
        for name in missing:
            print(f"no bench/results/{name}.json: its part of {page.relative_to(ROOT)} stays as it is", file=sys.stderr)
    return 0


def filled(text: str) -> tuple[str, list[str]]:
    """Return the page with the figures that exist, and the names of those that do not."""
    missing = []

    def fill(found: re.Match[str]) -> str:
        start, name, end = found.groups()
        source, shown = _PARTS[name]
        path = FOLDER / f"{source}.json"
        if not path.exists():
            missing.append(source)
            return found[0]
        return start + "\n" + "\n".join(shown(path)) + "\n\n" + end

    return _MARK.sub(fill, text), missing


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


def _aims(path: Path) -> Iterator[str]:
    results = msgspec.json.decode(path.read_bytes(), type=Results)
    yield from _taken(results.provenance, results.command, results.rounds)
    yield from _table(("", "aim", "measured", "reached"), [aim.row(results) for aim in AIMS])
    if results.soak:
        yield ""
        yield (
            f"The soak stored {results.soak.events:,} events in {results.soak.seconds:.0f} s;"
            f" RSS was {min(results.soak.rss_mb):.0f} to {max(results.soak.rss_mb):.0f} MB."
        )
    for name, why in results.skipped.items():
        yield f"\nNot measured: {name}, {why}."


def _headline(path: Path) -> Iterator[str]:
    results = msgspec.json.decode(path.read_bytes(), type=Results)
    named = {_NAMES[name]: cell for name, cell in results.cells.items() if name in _NAMES}
    yield from _cells(named)


def _matrix(path: Path) -> Iterator[str]:
    results = msgspec.json.decode(path.read_bytes(), type=Results)
    yield from _taken(results.provenance, results.command, results.rounds)
    yield from _cells(results.cells)


def _cells(cells: Mapping[str, Cell]) -> Iterator[str]:
    heads = (
        "", "events/s", "lowest – highest", "p50 ms", "p99 ms", "CPU µs an event: service", "PostgreSQL", "sender",
        "WAL B a row", "heap", "key", "RSS MB",
    )  # fmt: skip
    yield from _table(heads, [_cell(name, cell) for name, cell in cells.items()])


def _cell(name: str, cell: Cell) -> Sequence[str]:
    median = {figure: each.median for figure, each in cell.figures.items()}
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


def _growth(path: Path) -> Iterator[str]:
    growth = msgspec.json.decode(path.read_bytes(), type=Growth)
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


def _reads(path: Path) -> Iterator[str]:
    reads = msgspec.json.decode(path.read_bytes(), type=Reads)
    yield from _taken(reads.provenance, reads.command)
    yield f"{reads.rows:,} rows of {reads.days} days and {reads.tenants} tenants:\n"
    heads = ("query", "from", "tenant", "rows it reads", "first ms", "median ms")
    rows = [
        (read.query, read.source, read.tenant, f"{read.rows_read:,}", f"{read.first_ms:,.0f}", f"{read.median_ms:,.0f}")
        for read in reads.reads
    ]
    yield from _table(heads, rows, texts=3)


def _plans(path: Path) -> Iterator[str]:
    reads = msgspec.json.decode(path.read_bytes(), type=Reads)
    for read in reads.reads:
        if (read.source, read.tenant) == ("view", "median"):
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


def _micro(path: Path) -> Iterator[str]:
    micro = msgspec.json.decode(path.read_bytes(), type=Micro)
    yield f"`python -m bench.micro` at {micro.commit}, Python {micro.python}, {micro.rounds} rounds.\n"
    rows = [(name, f"{each.median:,.0f}", f"{each.min:,.0f}") for name, each in micro.ns_an_event.items()]
    yield from _table(("step", "ns an event, median", "lowest"), rows)


def _per_core(path: Path) -> Iterator[str]:
    heads, *found = sizing.per_core(path)
    yield from _table(heads, found)


def _rates(path: Path) -> Iterator[str]:
    heads, *found = sizing.rates(path)
    yield from _table(heads, found)


def _million(path: Path) -> Iterator[str]:
    heads, *found = sizing.million(path)
    yield from _table(heads, found)


_PARTS: Mapping[str, tuple[str, Callable[[Path], Iterator[str]]]] = {
    "aims": ("latest", _aims),
    "headline": ("latest", _headline),
    "matrix": ("matrix", _matrix),
    "growth": ("growth", _growth),
    "reads": ("reads", _reads),
    "plans": ("reads", _plans),
    "micro": ("micro", _micro),
    "cores": ("matrix", _per_core),
    "rates": ("matrix", _rates),
    "million": ("matrix", _million),
}


if __name__ == "__main__":
    sys.exit(main())
