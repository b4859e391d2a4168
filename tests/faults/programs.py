"""The wheel's programs beside its server, run as the server's account."""

import os
from pathlib import Path

from ingest.embedded import EmbeddedServer
from ingest.embedded.process import Programs, find_programs, hold, settle
from tests.support import cluster


def own(folder: Path) -> Path:
    """Make a folder that PostgreSQL's account owns."""
    _, account = settle(folder)
    folder.mkdir(mode=0o700)
    os.chown(folder, account.uid, account.gid)
    return folder


def run(folder: Path, program: str, *arguments: str) -> None:
    """Run a program that works in a folder."""
    _, account = settle(folder)
    lock = hold(folder)
    try:
        Programs(find_programs(account)[0], account, lock).run(program, *arguments)
    finally:
        os.close(lock)


def copy_server(server: EmbeddedServer, target: Path, *options: str) -> None:
    """Make a base backup of a running server."""
    connection = f"--host={cluster.sockets(server.dsn)}", "--username=postgres"
    run(own(target), "pg_basebackup", f"--pgdata={target}", "--checkpoint=fast", *options, *connection)
