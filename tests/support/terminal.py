"""Commands in this process: a start of Python takes longer than most of them."""

from typing import Protocol

import pytest

from ingest import logs
from ingest.__main__ import main
from tests.support import service


class Run(Protocol):
    """Runs a command; gives its status and all that it printed."""

    def __call__(self, *arguments: str, **settings: object) -> tuple[int, str]: ...


def at(dsn: str, capfd: pytest.CaptureFixture[str]) -> Run:
    """Return what runs commands on a database."""

    def run(*arguments: str, **settings: object) -> tuple[int, str]:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in service.environment(dsn, **settings).items():
                patch.setenv(name, value)
            try:
                status = main(arguments)
            except SystemExit as ended:  # Of argparse.
                status = int(ended.code or 0)
        logs.flush()
        said = capfd.readouterr()
        return status, said.out + said.err

    return run
