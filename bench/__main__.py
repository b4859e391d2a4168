"""`python -m bench`: the headline figures in a quarter of an hour; `--full`: the whole matrix."""

import argparse
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from msgspec.structs import replace
from tqdm import tqdm

from bench import cluster, machine, results, summary, systems, trial
from bench.child import ChildFailed
from bench.results import ROOT, Trial
from bench.scenario import HEADLINE, MATRIX, SOAK, SPELLINGS, Scenario, Spelling
from bench.trial import Bench, Wrong
from bench.workload import Template, events, ids_of

LOGS = ROOT / ".bench/logs"
SOAK_BYTES_S = 150_000_000  # Heap, key and WAL at twice the rate measured so far.
BATCH_EVENTS = 1_000  # In the body whose bytes are counted.
SPARE = 1.3  # Spare bodies beyond those of the fastest round so far.


def main() -> int:
    """Measure, write latest.json and print the table."""
    args = _arguments()
    args.data_dir.mkdir(parents=True, exist_ok=True)
    scenarios, skipped = _runnable(_wanted(args), shutil.disk_usage(args.data_dir).free)
    shutil.rmtree(LOGS, ignore_errors=True)
    LOGS.mkdir(parents=True)
    with cluster.started(args.data_dir) as running:
        provenance = machine.look(running)
        rounds = _Rounds(Bench(running, args.seconds, LOGS), scenarios)
        rounds.run(args.rounds)
    bytes_event: dict[str, float] = {spelling: _bytes_event(spelling) for spelling in SPELLINGS}
    found = summary.summarize(scenarios, rounds.done, provenance, skipped | rounds.failed, bytes_event)
    found = replace(found, command=shlex.join(["python", "-m", "bench", *sys.argv[1:]]), seconds_each=args.seconds)
    path = results.write(args.out, found)
    print(f"\n{summary.shown(found, rounds.done)}\n\nwritten to {path.relative_to(ROOT)}")
    return 1 if rounds.failed else 0


def _bytes_event(spelling: Spelling) -> float:
    """Return the bytes that an event takes in a body."""
    template = Template(events(BATCH_EVENTS, 1), spelling)
    body = b"{%s}" % template.stamp(ids_of(np.zeros(BATCH_EVENTS), bytes(16 * BATCH_EVENTS)))
    return len(body) / BATCH_EVENTS


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--full", action="store_true", help="the whole matrix, about an hour and a half")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of all scenarios (default: 5)")
    parser.add_argument("--seconds", type=float, default=4.0, help="duration of each measurement (default: 4)")
    parser.add_argument("--only", default="", help="comma-separated names of scenarios")
    parser.add_argument("--soak-seconds", type=float, default=SOAK.seconds, help="0: no soak (default: 300)")
    parser.add_argument("--data-dir", type=Path, default=ROOT / ".bench", help="folder for PostgreSQL's data")
    parser.add_argument("--out", default="latest", help="name of the file in bench/results (default: latest)")
    return parser.parse_args()


def _wanted(args: argparse.Namespace) -> list[Scenario]:
    only = args.only.split(",") if args.only else [scenario.name for scenario in MATRIX]
    asked = [scenario for scenario in (MATRIX if args.full else HEADLINE) if scenario.name in only]
    soak = [replace(SOAK, seconds=args.soak_seconds)] if SOAK in asked and args.soak_seconds else []
    return [scenario for scenario in asked if scenario != SOAK] + soak


def _runnable(scenarios: Sequence[Scenario], free_bytes: int) -> tuple[list[Scenario], dict[str, str]]:
    """Return the scenarios that can run here, and why the others cannot."""
    skipped = {scenario.name: why for scenario in scenarios if (why := systems.why_not(scenario.system))}
    if too_long := [scenario.name for scenario in scenarios if scenario.seconds * SOAK_BYTES_S > free_bytes]:
        skipped |= dict.fromkeys(too_long, f"{free_bytes / 1e9:.0f} GB of free disk are too few")
    for name, why in skipped.items():
        print(f"skipping {name}: {why}", file=sys.stderr)
    return [scenario for scenario in scenarios if scenario.name not in skipped], skipped


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
                    if scenario.name not in self.failed and not (scenario.seconds and self.done[scenario.name]):
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


if __name__ == "__main__":
    sys.exit(main())
