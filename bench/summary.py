"""Figures from rounds: medians with their spread, ratios within a round, and the table for the terminal."""

import statistics
from collections.abc import Mapping, Sequence

from bench.results import Cell, Provenance, Results, Spread, Trial
from bench.scenario import CELLS, COLUMNS, COLUMNS_2, LIMIT, OURS, OURS_2, PEERS, REPLAYED, ROLLED, SOAK, Scenario

Rounds = Mapping[str, Sequence[Trial]]


def spread(values: Sequence[float]) -> Spread:
    return Spread(statistics.median(values), min(values), max(values))


def ratio(rounds: Rounds, name: str, other: str, figure: str = "events_s") -> Spread | None:
    """Return the ratio of a figure of two scenarios, round by round, because a disturbance affects both."""
    mine, theirs = rounds.get(name, ()), rounds.get(other, ())
    ratios = [getattr(one, figure) / getattr(two, figure) for one, two in zip(mine, theirs, strict=False)]
    return spread(ratios) if ratios else None


def summarize(
    scenarios: Sequence[Scenario],
    rounds: Rounds,
    provenance: Provenance,
    skipped: dict[str, str],
    bytes_event: dict[str, float],
) -> Results:
    """Compute the figures that the project promises from the rounds."""
    compared: dict[str, Spread | None] = {
        "workers_1": ratio(rounds, OURS.name, LIMIT.name),
        "workers_2": ratio(rounds, OURS_2.name, LIMIT.name),
        **{peer: ratio(rounds, OURS.name, peer) for peer in PEERS},
        "replayed_50": ratio(rounds, REPLAYED.name, OURS.name),
        "rollups": ratio(rounds, ROLLED.name, CELLS.name),
        "columns_1": ratio(rounds, COLUMNS.name, LIMIT.name),
        "columns_2": ratio(rounds, COLUMNS_2.name, LIMIT.name),
        "columns_cpu": ratio(rounds, OURS.name, COLUMNS.name, "cpu_us_service"),
    }
    medians = {name: found.median if found else None for name, found in compared.items()}
    cells = {scenario.name: _cell(scenario, done) for scenario in scenarios if (done := rounds.get(scenario.name))}
    figures = {name: cell.medians() for name, cell in cells.items()}
    ours, soak, rolled = (figures.get(each.name) for each in (OURS, SOAK, ROLLED))
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
        ratio_rollups=medians["rollups"],
        rollup_lag_s=rolled["rollup_lag_s"] if rolled else None,
        ratio_columns={
            "workers_1": medians["columns_1"],
            "workers_2": medians["columns_2"],
            "cpu": medians["columns_cpu"],
        },
        bytes_event=bytes_event,
        ack_ms_p99={
            name.removeprefix("open-"): each["ack_ms_p99"]
            for name, each in figures.items()
            if name.startswith("open-") and name.endswith("k")
        },
        bytes_row={name: ours[f"{name}_bytes_row"] for name in ("heap", "index", "wal")} if ours else {},
        rss_growth=soak["rss_mb_end"] / soak["rss_mb_start"] - 1 if soak else None,
        ratio_spreads={name: found for name, found in compared.items() if found is not None},
        skipped=skipped,
        cells=cells,
    )


def _cell(scenario: Scenario, done: Sequence[Trial]) -> Cell:
    names: tuple[str, ...] = Trial.__struct_fields__
    return Cell(scenario, {name: spread([getattr(trial, name) for trial in done]) for name in names})


_HEADS = (
    f"{'':65}{'ack ms':>15} {'CPU, µs an event':>20} {'bytes a row':>16} {'RSS':>5}\n"
    f"{'':26}{'events/s':>10} {'min – max':>19} {'× raw':>6} {'p50':>7} {'p99':>7}"
    f" {'service':>7}{'pg':>6}{'client':>7} {'WAL':>5}{'heap':>6}{'key':>5} {'MB':>5}"
)
_AGAINST = {
    "workers_1": "× raw asyncpg COPY",
    "workers_2": "× raw asyncpg COPY",
    "replayed_50": "× no replay",
    "rollups": "× no rollups",
    "columns_1": "× raw asyncpg COPY",
    "columns_2": "× raw asyncpg COPY",
    "columns_cpu": "rows: CPU of the service, × columns",
}


def shown(results: Results, rounds: Rounds) -> str:
    """Return the text for the terminal."""
    sync_us = results.provenance.machine.fdatasync_us
    rounds_of = f"medians of {results.rounds} rounds of {results.seconds_each:g} s"
    return "\n".join(
        [
            f"{results.commit}, {results.machine}, fdatasync {sync_us:.0f} µs; {rounds_of}\n",
            _HEADS,
            *(_line(name, cell, ratio(rounds, name, LIMIT.name)) for name, cell in results.cells.items()),
            "",
            *(_ratio_line(name, each) for name, each in results.ratio_spreads.items()),
            *(f"  skipped {name}: {reason}" for name, reason in results.skipped.items()),
        ]
    )


def _ratio_line(name: str, found: Spread) -> str:
    figures = f"{found.median:.2f} ({found.min:.2f} – {found.max:.2f})"
    return f"  {name:20} {figures:>26} {_AGAINST.get(name, '(ours, one worker, × this peer)')}"


def _line(name: str, cell: Cell, compared: Spread | None) -> str:
    figures, speed = cell.medians(), cell.figures["events_s"]
    return (
        f"{name:26}{speed.median:>10,.0f} {f'{speed.min:,.0f} – {speed.max:,.0f}':>19}"
        f" {f'{compared.median:.2f}' if compared else '':>6}"
        f" {figures['ack_ms_p50']:>7.1f} {figures['ack_ms_p99']:>7.1f}"
        f" {figures['cpu_us_service']:>7.2f}{figures['cpu_us_postgres']:>6.2f}{figures['cpu_us_client']:>7.2f}"
        f" {figures['wal_bytes_row']:>5.0f}{figures['heap_bytes_row']:>6.0f}{figures['index_bytes_row']:>5.0f}"
        f" {figures['rss_mb_end']:>5.0f}"
    )
