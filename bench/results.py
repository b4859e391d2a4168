"""Figures from rounds: medians with their spread, ratios within a round, the file and the table."""

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from bench.machine import Provenance
from bench.scenario import LIMIT, OURS, OURS_2, PEERS, REPLAYED, Scenario
from bench.soak import Soak
from bench.trial import Trial

FOLDER = Path(__file__).parent / "results"

Rounds = Mapping[str, Sequence[Trial]]


class Spread(Struct, frozen=True):
    """The spread of a figure over the rounds."""

    median: float
    min: float
    max: float


class Cell(Struct, frozen=True):
    """A scenario and its figures."""

    scenario: Scenario
    figures: dict[str, Spread]


class Results(Struct, frozen=True, kw_only=True):
    """The contents of latest.json. Top-level figures are medians; a missing one was not measured."""

    provenance: Provenance
    commit: str
    machine: str
    command: str
    rounds: int
    seconds_each: float
    ratio_raw_copy: dict[str, float | None]
    ratio_peers: dict[str, float | None]  # One worker of ours to one process of theirs.
    ratio_replayed_50: float | None  # To the same load without a replay.
    ack_ms_p99: dict[str, float]
    bytes_row: dict[str, float]
    rss_growth: float | None
    ratio_spreads: dict[str, Spread]
    skipped: dict[str, str]
    soak: Soak | None
    cells: dict[str, Cell]


def spread(values: Sequence[float]) -> Spread:
    return Spread(statistics.median(values), min(values), max(values))


def ratio(rounds: Rounds, name: str, other: str) -> Spread | None:
    """Return the ratio of two scenarios' throughput, round by round, because a disturbance affects both."""
    mine, theirs = rounds.get(name, ()), rounds.get(other, ())
    ratios = [one.events_s / two.events_s for one, two in zip(mine, theirs, strict=False)]
    return spread(ratios) if ratios else None


def cells(scenarios: Sequence[Scenario], rounds: Rounds) -> dict[str, Cell]:
    names: tuple[str, ...] = Trial.__struct_fields__
    return {
        scenario.name: Cell(
            scenario,
            {name: spread([getattr(trial, name) for trial in rounds[scenario.name]]) for name in names},
        )
        for scenario in scenarios
        if rounds.get(scenario.name)
    }


def summarize(
    scenarios: Sequence[Scenario], rounds: Rounds, provenance: Provenance, skipped: dict[str, str], soak: Soak | None
) -> Results:
    """Compute the figures that the project promises from the rounds."""
    compared: dict[str, Spread | None] = {
        "workers_1": ratio(rounds, OURS.name, LIMIT.name),
        "workers_2": ratio(rounds, OURS_2.name, LIMIT.name),
        **{peer: ratio(rounds, OURS.name, peer) for peer in PEERS},
        "replayed_50": ratio(rounds, REPLAYED.name, OURS.name),
    }
    medians = {name: found.median if found else None for name, found in compared.items()}
    table = cells(scenarios, rounds)
    return Results(
        provenance=provenance,
        commit=provenance.commit,
        machine=f"{provenance.machine.cores} × {provenance.machine.processor}, {provenance.machine.memory_gb:.0f} GB",
        command="",
        rounds=max(map(len, rounds.values()), default=0),
        seconds_each=0.0,
        ratio_raw_copy={name: medians[name] for name in ("workers_1", "workers_2")},
        ratio_peers={peer: medians[peer] for peer in PEERS},
        ratio_replayed_50=medians["replayed_50"],
        ack_ms_p99=_latencies(table),
        bytes_row=_bytes_row(table),
        rss_growth=soak.rss_growth if soak else None,
        ratio_spreads={name: found for name, found in compared.items() if found is not None},
        skipped=skipped,
        soak=soak,
        cells=table,
    )


def _latencies(table: Mapping[str, Cell]) -> dict[str, float]:
    """Return the p99 of one worker under each open load, by its name: 100k is 100,000 events per second."""
    loads = {f"{cell.scenario.events_per_s // 1_000}k": cell for cell in table.values()}
    return {load: table[f"open-{load}"].figures["ack_ms_p99"].median for load in loads if f"open-{load}" in table}


def _bytes_row(table: Mapping[str, Cell]) -> dict[str, float]:
    ours = table.get(OURS.name)
    return {name: ours.figures[f"{name}_bytes_row"].median for name in ("heap", "index", "wal")} if ours else {}


def write(name: str, content: object) -> Path:
    """Write a file of figures."""
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{name}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(content), indent=1) + b"\n")
    return path


_GROUPS = f"{'':65}{'ack ms':>15} {'CPU, µs an event':>20} {'bytes a row':>16} {'RSS':>5}"
_NAMES = (
    f"{'':26}{'events/s':>10} {'min – max':>19} {'× raw':>6} {'p50':>7} {'p99':>7}"
    f" {'service':>7}{'pg':>6}{'client':>7} {'WAL':>5}{'heap':>6}{'key':>5} {'MB':>5}"
)


def shown(results: Results, rounds: Rounds) -> str:
    """Return the table for the terminal."""
    return "\n".join([_GROUPS, _NAMES, *(_line(name, cell, rounds) for name, cell in results.cells.items())])


def _line(name: str, cell: Cell, rounds: Rounds) -> str:
    figures = {figure: each.median for figure, each in cell.figures.items()}
    speed = cell.figures["events_s"]
    compared = ratio(rounds, name, LIMIT.name)
    return (
        f"{name:26}{speed.median:>10,.0f} {f'{speed.min:,.0f} – {speed.max:,.0f}':>19}"
        f" {f'{compared.median:.2f}' if compared else '':>6}"
        f" {figures['ack_ms_p50']:>7.1f} {figures['ack_ms_p99']:>7.1f}"
        f" {figures['cpu_us_service']:>7.2f}{figures['cpu_us_postgres']:>6.2f}{figures['cpu_us_client']:>7.2f}"
        f" {figures['wal_bytes_row']:>5.0f}{figures['heap_bytes_row']:>6.0f}{figures['index_bytes_row']:>5.0f}"
        f" {figures['rss_mb_end']:>5.0f}"
    )
