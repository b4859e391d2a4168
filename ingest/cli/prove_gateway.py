"""`prove --gateway`: prove a gateway that is started here, or one that runs elsewhere."""

import argparse
import random
import signal
from collections.abc import Callable
from urllib.parse import urlsplit

from ingest.errors import CannotStart
from ingest.prove import report, summary
from ingest.prove.client import address
from ingest.prove.run import Run
from ingest.prove.search import SearchResult

_SEED_BITS = 32
Progress = Callable[[int], Callable[[int], object]]
Search = Callable[[Run], list[SearchResult]]


def prove(args: argparse.Namespace, progress: Progress, search: Search) -> int:
    """Run the proof, print and write its summary, and return the exit status; `search` is for a gateway elsewhere."""
    from ingest.prove.gateway import proof  # noqa: PLC0415 (nothing else needs a gateway)

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # As Ctrl-C: what was started here ends too.
    seed = random.getrandbits(_SEED_BITS) if args.seed is None else args.seed
    if args.url:
        if not args.token:
            raise CannotStart(
                "Name a token of scope gateway:use with --token; without --url a gateway is started here."
            )
        finished = proof.prove_remote(address(args.url), args.token, seed, args.cases, progress)
        searched, lines = search(finished), ["provider    the gateway's own, which refuses the key"]
    else:
        finished, searched, lines = proof.prove(seed, args.cases, progress)
    whole = summary.summed(finished, searched, urlsplit(args.url).netloc if args.url else "a gateway of this machine")
    print(*lines, "", sep="\n")
    print(summary.as_text(whole))
    if args.report_dir:
        report.write(whole, finished, args.report_dir)
        print(f"report      {args.report_dir}/report.html")
    return 0 if whole.verdict == summary.PASS else 1
