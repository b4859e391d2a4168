"""`gateway`: forward requests to providers, without a database."""

import argparse
from pathlib import Path

from ingest.cli import launch
from ingest.cli.arguments import Subparsers
from ingest.cli.processes import Process, Settings
from ingest.config import PREFIX
from ingest.errors import CannotStart
from ingest.gateway import bounds
from ingest.knowledge import gateway_keys, keys


def add(commands: "Subparsers[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    gateway = launch.add(
        commands, "gateway", "forward requests to LLM providers until SIGTERM; SIGHUP replaces the workers", _check
    )
    says = "make the file of keys that gateways and the service share, or put a new key before the first"
    keygen = gateway.add_subparsers(metavar="[keygen]").add_parser("keygen", help=says, description=says)
    keygen.add_argument("file", help="the one that NOCONTENT_GATEWAY_KEY_FILE names")
    keygen.set_defaults(run=_keygen)


def _keygen(args: argparse.Namespace) -> int:
    made = keys.write(Path(args.file), gateway_keys.SETTING)
    print(f"{len(made.own)} keys in force; gateways use {made.first.key_id}")
    return 0


def _check(wanted: Settings, served: Process, _args: argparse.Namespace) -> None:
    if wanted.dsn:
        raise CannotStart(
            f"{PREFIX}DSN or {PREFIX}DSN_FILE is set, but a gateway reaches no database: unset it for this process."
        )
    bounds.require()
    bounds.hold_parent()
    served.load().check()  # Before the companion starts.
