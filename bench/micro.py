"""`python -m bench.micro`: the nanoseconds per event of each step of the hot path, as medians of many rounds."""

import argparse
import platform
import sys
import time

from msgspec import Struct

from bench import machine, results
from bench.results import Spread, spread
from bench.steps import prepared_now, steps

_REPEATS = 5


class Micro(Struct, frozen=True, kw_only=True):
    """The contents of micro.json."""

    commit: str
    python: str
    rounds: int
    ns_an_event: dict[str, Spread]


def main() -> int:
    """Time the steps, write micro.json and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.micro", description=__doc__)
    parser.add_argument("--rounds", type=int, default=31, help="rounds of all steps (default: 31)")
    args = parser.parse_args()
    todo = steps(prepared_now())
    spent: dict[str, list[float]] = {name: [] for name in todo}
    for _ in range(args.rounds):
        for name, (step, events) in todo.items():
            started = time.perf_counter_ns()
            for _ in range(_REPEATS):
                step()
            spent[name].append((time.perf_counter_ns() - started) / _REPEATS / events)
    figures = {name: spread(each) for name, each in spent.items()}
    written = Micro(commit=machine.commit(), python=platform.python_version(), rounds=args.rounds, ns_an_event=figures)
    results.write("micro", written)
    print(f"{'ns an event':22}{'median':>8} {'min':>8}")
    for name, each in figures.items():
        print(f"{name:22}{each.median:>8.1f} {each.min:>8.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
