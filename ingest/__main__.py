"""`nocontent`, also `python -m ingest`: parses the command line and says what went wrong in one sentence."""

import argparse
import sys
from collections.abc import Sequence

from ingest.api.openapi import VERSION
from ingest.cli import check, control, demo, policy, prove, server
from ingest.errors import CannotStart, Unavailable
from ingest.store.tenants import UnknownTenant
from ingest.store.vocabulary import VocabularyFull

_DESCRIPTION = """\
nocontent: a telemetry ingestion API for LLM proxies that cannot store a prompt.

a first deployment:
  nocontent migrate                                  make or update the tables
  nocontent tenant add acme                          a customer whose proxies send
  nocontent tags declare acme team                   opt in to a tag key
  nocontent vocabulary add acme tag:team search      and to a value of it
  nocontent token issue acme                         prints the token, once
  nocontent serve                                    take events

to look around:
  nocontent demo                                     everything at once, with a PostgreSQL of its own
  nocontent check batch.json                         would this body be accepted, and if not, why
  nocontent policy --capacity                        what an event can hold, in bits
  nocontent prove --local                            try to get content in, some 28,000 ways
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; gives its exit status."""
    parser = argparse.ArgumentParser(
        prog="nocontent", description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"nocontent {VERSION}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for family in (server, control, policy, check, prove, demo):
        family.add(commands)
    args = parser.parse_args(argv)
    try:
        return int(args.run(args))
    except CannotStart as failure:
        print(f"nocontent: {failure}", file=sys.stderr)
    except UnknownTenant:
        print("nocontent: there is no tenant of that name; see `nocontent tenant list`", file=sys.stderr)
    except VocabularyFull:
        print("nocontent: this tenant has no ids left for terms of this kind", file=sys.stderr)
    except Unavailable:
        print("nocontent: the database does not answer", file=sys.stderr)
    except BrokenPipeError:
        sys.stdout = None  # Whoever read us, such as `head`, has read enough; Python would complain once more at exit.
        return 0
    except KeyboardInterrupt:
        return 130
    return 2


if __name__ == "__main__":
    sys.exit(main())
