"""`python -m tests.clients`: run real clients against a fake provider and our service, and write docs/clients.md.

Status 0: each became what its case expects, and no canary was found in an answer, a log, a metric or a row.
"""

# ruff: noqa: T201 (talks to a person at a terminal)

import argparse
import asyncio
import sys
from collections.abc import Sequence

from tests.clients import page, rig
from tests.clients.cases import EXAMPLES, LITELLM_PLAIN, LITELLM_REDACTED
from tests.clients.otlp_spans import SPANS
from tests.support.service import ROOT


def main(argv: Sequence[str] | None = None) -> int:
    """Run the clients; return 1 if one became something else, or if a canary was found."""
    parser = argparse.ArgumentParser("python -m tests.clients", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--write", action="store_true", help="write the table to docs/clients.md")
    args = parser.parse_args(argv)
    with rig.running() as running:
        rows = [running.spans(each) for each in SPANS]
        rows += [*running.litellm(LITELLM_PLAIN, redacts=False), *running.litellm(LITELLM_REDACTED, redacts=True)]
        rows += [running.example(name, case) for name, case in EXAMPLES.items()]
        found = asyncio.run(running.canaries())
    print(page.table(rows))
    print("\n".join(f"a canary in {place}" for place in found) or "0 canaries in answers, log, metrics and rows")
    if args.write:
        page.write(ROOT / "docs/clients.md", rows)
    return 1 if found or not all(row.is_expected for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
