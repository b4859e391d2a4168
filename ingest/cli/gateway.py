"""`gateway`: forward requests to providers, without a database."""

import argparse

from ingest.cli import launch
from ingest.cli.arguments import Subparsers
from ingest.cli.processes import Process, Settings
from ingest.config import PREFIX
from ingest.errors import CannotStart
from ingest.gateway import bounds


def add(commands: "Subparsers[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    launch.add(
        commands, "gateway", "forward requests to LLM providers until SIGTERM; SIGHUP replaces the workers", _check
    )


def _check(wanted: Settings, _served: Process, _args: argparse.Namespace) -> None:
    if wanted.dsn:
        raise CannotStart(
            f"{PREFIX}DSN or {PREFIX}DSN_FILE is set, but a gateway reaches no database: unset it for this process."
        )
    bounds.require()
    bounds.hold_parent()
