"""`prove --gateway`: prove a gateway that is started here, between a provider and a service of the proof."""

import argparse
import random
import signal
from collections.abc import Callable

from ingest.prove import report, summary

_SEED_BITS = 32
Progress = Callable[[int], Callable[[int], object]]


def prove(args: argparse.Namespace, progress: Progress) -> int:
    """Run the proof, print its summary, write its reports, and return the exit status."""
    from ingest.prove.gateway import proof  # noqa: PLC0415 (nothing else needs a gateway)

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # As Ctrl-C: what was started here ends too.
    seed = random.getrandbits(_SEED_BITS) if args.seed is None else args.seed
    finished, searched, lines = proof.prove(seed, args.cases, progress)
    whole = summary.summed(finished, searched, "a gateway of this machine")
    print(*lines, "", sep="\n")
    print(summary.as_text(whole))
    if args.report_dir:
        report.write(whole, finished, args.report_dir)
        print(f"report      {args.report_dir}/report.html")
    return 0 if whole.verdict == summary.PASS else 1
