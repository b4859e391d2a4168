"""`python -m bench`: the headline figures in a quarter of an hour; `--full`: the whole matrix."""

import argparse
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace
from tqdm import tqdm

from bench import cluster, install, machine, results, slowdisk, soak, trial
from bench.child import ROOT, ChildFailed
from bench.results import Results
from bench.scenario import HEADLINE, MATRIX, OURS, PEERS, Scenario
from bench.soak import Soak
from bench.trial import Bench, Trial, Wrong

SPARE = 1.3  # Spare bodies beyond those of the fastest round so far.


def main() -> int:
    """Measure, write latest.json and print the table."""
    args = _arguments()
    scenarios = [scenario for scenario in (MATRIX if args.full else HEADLINE) if _is_wanted(scenario, args.only)]
    skipped = _unavailable(scenarios)
    scenarios = [scenario for scenario in scenarios if scenario.name not in skipped]
    logs = ROOT / ".bench/logs"
    shutil.rmtree(logs, ignore_errors=True)
    logs.mkdir(parents=True)
    is_slowable = any(scenario.sync_delay_ms for scenario in scenarios)
    with cluster.started(args.data_dir, is_slowable=is_slowable) as running:
        provenance = machine.look(running)
        bench = Bench(running, args.seconds, logs)
        rounds = _Rounds(bench, scenarios)
        rounds.run(args.rounds)
        skipped |= rounds.failed
        soaked, why = _soak(bench, args.soak_events)
        skipped |= {"soak": why} if why else {}
    summary = results.summarize(scenarios, rounds.done, provenance, skipped, soaked)
    summary = replace(summary, command=shlex.join(["python", "-m", "bench", *sys.argv[1:]]), seconds_each=args.seconds)
    path = results.write(args.out, summary)
    _print(summary, results.shown(summary, rounds.done))
    print(f"\nwritten to {path.relative_to(ROOT)}")
    return 1 if rounds.failed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--full", action="store_true", help="the whole matrix, about an hour and a half")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of all scenarios (default: 5)")
    parser.add_argument("--seconds", type=float, default=4.0, help="duration of each measurement (default: 4)")
    parser.add_argument("--only", default="", help="comma-separated names of scenarios")
    parser.add_argument("--soak-events", type=int, default=50_000_000, help="0: no soak (default: 50 million)")
    parser.add_argument(
        "--data-dir", type=Path, default=ROOT / ".bench", help="folder for PostgreSQL's data during the run"
    )
    parser.add_argument("--out", default="latest", help="name of the file in bench/results (default: latest)")
    return parser.parse_args()


def _is_wanted(scenario: Scenario, only: str) -> bool:
    return not only or scenario.name in only.split(",")


def _unavailable(scenarios: Sequence[Scenario]) -> dict[str, str]:
    """Install what is missing, and return the scenarios that cannot run here, with the reasons."""
    why = install.ensure(dict.fromkeys(scenario.system for scenario in scenarios if scenario.system in PEERS))
    skipped = {scenario.name: why[scenario.system] for scenario in scenarios if scenario.system in why}
    if reason := slowdisk.why_not():
        skipped |= {scenario.name: reason for scenario in scenarios if scenario.sync_delay_ms}
    for name, reason in skipped.items():
        print(f"skipping {name}: {reason}", file=sys.stderr)
    return skipped


class _Rounds:
    """Rounds of all scenarios, each starting with another one so that no scenario always follows the same one."""

    def __init__(self, bench: Bench, scenarios: Sequence[Scenario]) -> None:
        self.done: dict[str, list[Trial]] = {scenario.name: [] for scenario in scenarios}
        self.failed: dict[str, str] = {}
        self._bench = bench
        self._scenarios = list(scenarios)

    def run(self, count: int) -> None:
        with tqdm(total=count * len(self._scenarios), unit="run", disable=not sys.stderr.isatty()) as bar:
            for number in range(count):
                start = number * len(self._scenarios) // count
                for scenario in self._scenarios[start:] + self._scenarios[:start]:
                    bar.set_postfix_str(scenario.name)
                    if scenario.name not in self.failed:
                        self._run(scenario)
                    bar.update()

    def _run(self, scenario: Scenario) -> None:
        done = self.done[scenario.name]
        expected = SPARE * max(each.events_s for each in done) if done else scenario.expected_events_s
        try:
            stage = self._bench.cluster.stage(scenario.tenants)
            done.append(trial.run(self._bench, stage, scenario, expected))
        except (ChildFailed, Wrong) as failure:
            self.failed[scenario.name] = str(failure)
            print(f"\n{scenario.name} failed: {failure}", file=sys.stderr)


def _soak(bench: Bench, events: int) -> tuple[Soak | None, str]:
    if not events:
        return None, "not asked for"
    if why := soak.why_not(bench, events):
        return None, why
    with tqdm(total=events, unit="event", unit_scale=True, desc="soak", disable=not sys.stderr.isatty()) as bar:
        try:
            return soak.run(bench, OURS, events, bar.update), ""
        except (ChildFailed, Wrong) as failure:
            return None, str(failure)


def _print(summary: Results, table: str) -> None:
    print(
        f"\n{summary.commit}, {summary.machine}, fdatasync {summary.provenance.machine.fdatasync_us:.0f} µs;", end=" "
    )
    print(f"medians of {summary.rounds} rounds of {summary.seconds_each:g} s\n\n{table}\n")
    spreads = {
        name: f"{each.median:.2f} ({each.min:.2f} – {each.max:.2f})" for name, each in summary.ratio_spreads.items()
    }
    for name, shown in spreads.items():
        against = {"workers_1": "× raw asyncpg COPY", "workers_2": "× raw asyncpg COPY", "replayed_50": "× no replay"}
        print(f"  {name:20} {shown:>26} {against.get(name, '(ours, one worker, × this peer)')}")
    if summary.soak:
        print(f"  RSS after {summary.soak.events:,} events: {summary.soak.rss_growth:+.1%}")
    for name, reason in summary.skipped.items():
        print(f"  skipped {name}: {reason}")


if __name__ == "__main__":
    sys.exit(main())
