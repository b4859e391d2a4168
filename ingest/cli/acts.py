"""Acts of an operator on the database: their declaration, their connection, and the error if PostgreSQL refuses."""

import argparse
import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

from ingest.cli import processes
from ingest.cli.arguments import Subparsers
from ingest.errors import CannotStart
from ingest.store import connections
from ingest.store.connections import Connection
from ingest.store.database import require_dsn

Act = Callable[[Connection, argparse.Namespace], Awaitable[int]]


class Acts(NamedTuple):
    """Acts of one family of commands; `advice` follows the SQLSTATE, since PostgreSQL's message would quote a value."""

    parser: argparse.ArgumentParser
    family: "Subparsers[argparse.ArgumentParser]"
    advice: str
    role: connections.Role = "nocontent_control"

    def add(self, name: str, act: Act, says: str) -> argparse.ArgumentParser:
        """Declare an act; return its parser, for its arguments."""
        command = self.family.add_parser(name, help=says, description=says)
        command.set_defaults(run=lambda args: asyncio.run(self._run(act, args)))
        return command

    def add_unnamed(self, act: Act) -> argparse.ArgumentParser:
        """Declare what the family does without the name of an act; return its parser, for its arguments."""
        self.family.required = False
        self.parser.set_defaults(run=lambda args: asyncio.run(self._run(act, args)))
        return self.parser

    async def _run(self, act: Act, args: argparse.Namespace) -> int:
        async with operator(self.role, self.advice) as connection:
            return await act(connection, args)


@asynccontextmanager
async def operator(role: connections.Role, advice: str) -> AsyncIterator[Connection]:
    """Open a connection of an operator for the block; raises CannotStart for what PostgreSQL refuses."""
    connection = await connections.connect_as_operator(require_dsn(processes.load()), role)
    try:
        yield connection
    except connections.PostgresError as refused:
        raise CannotStart(f"PostgreSQL refused (SQLSTATE {connections.sqlstate(refused)}){advice}") from None
    finally:
        await connections.close(connection)


def family(
    commands: "Subparsers[argparse.ArgumentParser]", name: str, says: str, advice: str, examples: str | None = None
) -> Acts:
    """Declare a family of acts."""
    form = argparse.RawDescriptionHelpFormatter
    parser = commands.add_parser(name, help=says, description=says, epilog=examples, formatter_class=form)
    return Acts(parser, parser.add_subparsers(metavar="ACT", required=True), advice)
