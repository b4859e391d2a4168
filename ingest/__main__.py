"""`nocontent`, also `python -m ingest`: run a command, and report an error in one sentence."""

import argparse
import errno
import sys
from collections.abc import Sequence
from importlib import import_module

from ingest import logs
from ingest.cli.arguments import Parser
from ingest.errors import CannotStart, Unavailable
from ingest.logs import stdio
from ingest.store.errors import UnknownTenant, VocabularyFull

_DESCRIPTION = """\
nocontent: a telemetry ingestion API for LLM proxies that cannot store a prompt.

a first deployment:
  nocontent migrate                                  create or update the tables
  nocontent tenant add acme                          a customer whose proxies send
  nocontent tags declare acme team                   opt in to a tag key
  nocontent vocabulary add acme tag:team search      and to a value of it
  nocontent token issue acme                         prints the token, once
  nocontent serve                                    accept events
  nocontent console                                  serve the console to browsers
  nocontent gateway                                  forward requests to providers, without a database

to look around:
  nocontent demo                                     everything at once, with a PostgreSQL of its own
  nocontent usage acme --by model                    what a tenant used, what it cost and saved
  nocontent check batch.json                         check whether a body would be accepted, and if not, why
  nocontent policy --capacity                        what an event can hold, in bits
  nocontent prove --local                            try to get content in, in some 41,000 ways
"""

# The commands of each file of `ingest.cli`. Only that of the command is imported: `tenant` needs no HTTP server, and
# half of the time of a short command goes into imports.
FAMILIES = {
    "server": ("serve", "console"),
    "gateway": ("gateway",),
    "upkeep": ("migrate", "maintain"),
    "jobs": ("jobs",),
    "control": ("tenant", "token", "reader", "vocabulary", "tags"),
    "account": ("account",),
    "webhook": ("webhook",),
    "annotate": ("annotate",),
    "access": ("access",),
    "retention": ("retention",),
    "plan": ("plan",),
    "budget": ("budget",),
    "route": ("route",),
    "invoice": ("invoice",),
    "prices": ("prices",),
    "mail": ("mail",),
    "usage": ("usage",),
    "insights": ("insights",),
    "site": ("site",),
    "export": ("export",),
    "erase": ("erase",),
    "receipt": ("receipt",),
    "legal": ("legal",),
    "policy": ("policy",),
    "check": ("check",),
    "prove": ("prove",),
    "demo": ("demo",),
}
_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


def run() -> int:
    """Run the command of this process and return its exit status."""
    stdio.hold_open()
    logs.capture()
    stdio.tolerate()
    try:
        status = main(sys.argv[1:])
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:  # The reader, such as `head`, has read enough.
        status = 0
    except OSError as refused:
        if refused.errno not in _DISK_FULL:
            raise
        stdio.tell("nocontent: the disk is full, or the output cannot be written")
        status = 1
    else:
        return status
    sys.stdout = None  # Python would complain again at exit.
    return status


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status."""
    given = sys.argv[1:] if argv is None else argv
    args = _parser(*given[:1]).parse_args(given)
    try:
        return int(args.run(args))
    except CannotStart as failure:
        stdio.tell(f"nocontent: {failure}")
    except UnknownTenant:
        stdio.tell("nocontent: no tenant has that name; see `nocontent tenant list`")
    except VocabularyFull:
        stdio.tell("nocontent: this tenant has no ids left for terms of this kind")
    except Unavailable:
        stdio.tell("nocontent: the database does not respond")
    except KeyboardInterrupt:
        return 130
    return 2


def _parser(command: str = "") -> Parser:
    """Return the parser of a command, or of all commands if this is not one."""
    parser = Parser(prog="nocontent", description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter)
    families = [family for family, names in FAMILIES.items() if command in names]
    if not families:
        version = import_module("ingest.intake.openapi").VERSION
        parser.add_argument("--version", action="version", version=f"nocontent {version}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for family in families or FAMILIES:
        import_module(f"ingest.cli.{family}").add(commands)
    return parser


if __name__ == "__main__":
    sys.exit(run())
