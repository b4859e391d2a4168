"""A plugin of pytest that writes which tests passed: `-p tests.legal.outcomes --passed-to FILE`."""

from collections import defaultdict
from pathlib import Path

import msgspec
import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--passed-to", metavar="FILE", type=Path, required=True, help="write the tests that passed here")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(_Outcomes(config.getoption("--passed-to")))


class _Outcomes:
    """Notes the outcomes of each test, with all parameters and phases as one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._found: defaultdict[str, set[str]] = defaultdict(set)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._found[report.nodeid.partition("[")[0]].add(report.outcome)

    def pytest_sessionfinish(self) -> None:
        """One that was skipped in part did not pass."""
        passed = sorted(test for test, outcomes in self._found.items() if outcomes == {"passed"})
        self._path.write_bytes(msgspec.json.encode(passed))
