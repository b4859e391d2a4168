"""The command line, run in this process."""

from collections.abc import Callable

import pytest

from ingest.__main__ import main

Run = Callable[[str], tuple[int, str, str]]  # A line, for its status, output and errors.


def runner(capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs a command line."""

    def run(line: str) -> tuple[int, str, str]:
        status = main(line.split())
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run
