"""`nocontent`, also `python -m ingest`: parses the command line and says what went wrong in one sentence."""

import argparse
import errno
import sys
from collections.abc import Sequence

from ingest import logs
from ingest.cli import check, control, demo, policy, prove, retention, server
from ingest.cli.arguments import Parser
from ingest.errors import CannotStart, Unavailable
from ingest.intake.openapi import VERSION
from ingest.logs import stdio
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
  nocontent prove --local                            try to get content in, some 36,000 ways
"""


_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


def run() -> int:
    """Run the command of this process; gives its exit status."""
    stdio.hold_open()
    logs.capture()
    stdio.tolerate()
    try:
        status = main(sys.argv[1:])
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:  # Whoever read us, such as `head`, has read enough.
        status = 0
    except OSError as refused:
        if refused.errno not in _DISK_FULL:
            raise
        stdio.tell("nocontent: the disk is full, or there is no place for what the command prints")
        status = 1
    else:
        return status
    sys.stdout = None  # Python would complain once more at exit.
    return status


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; gives its exit status."""
    parser = Parser(prog="nocontent", description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", action="version", version=f"nocontent {VERSION}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for family in (server, control, retention, policy, check, prove, demo):
        family.add(commands)
    args = parser.parse_args(argv)
    try:
        return int(args.run(args))
    except CannotStart as failure:
        stdio.tell(f"nocontent: {failure}")
    except UnknownTenant:
        stdio.tell("nocontent: there is no tenant of that name; see `nocontent tenant list`")
    except VocabularyFull:
        stdio.tell("nocontent: this tenant has no ids left for terms of this kind")
    except Unavailable:
        stdio.tell("nocontent: the database does not answer")
    except KeyboardInterrupt:
        return 130
    return 2


if __name__ == "__main__":
    sys.exit(run())
