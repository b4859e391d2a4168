"""`python -m bench.micro`: the nanoseconds per event of each step of the hot path, as medians of many rounds."""

import argparse
import platform
import statistics
import sys

from bench import machine, results
from bench.results import Micro
from bench.steps import prepared_now, steps, timed
from bench.summary import spread


def main() -> int:
    """Time the steps, write micro.json and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.micro", description=__doc__)
    parser.add_argument("--rounds", type=int, default=31, help="rounds of all steps (default: 31)")
    args = parser.parse_args()
    spent = timed(steps(prepared_now()), args.rounds)
    figures = {name: spread(each) for name, each in spent.items()}
    written = Micro(commit=machine.commit(), python=platform.python_version(), rounds=args.rounds, ns_an_event=figures)
    results.write("micro", written)
    print(f"{'ns an event':22}{'median':>8} {'min':>8}")
    for name, each in figures.items():
        print(f"{name:22}{each.median:>8.1f} {each.min:>8.1f}")
    pairs = zip(spent["decode, all gates"], spent["bare typed decode"], strict=True)
    print(f"all gates × bare typed decode: {statistics.median(gated / bare for gated, bare in pairs):.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
