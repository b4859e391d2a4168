"""Runs the tests that the page /security names, and records each that passed: `make security-claims`.

A record is of a commit, so that it can be repeated: the checkout has to be as committed, but for the record itself.
"""

import subprocess
import sys
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from ingest.legal import claims
from ingest.legal.claims import Run
from tests.support import named
from tests.support.service import ROOT

RECORD = ROOT / "ingest/legal" / claims.RUNS


class Outcomes:
    """A plugin of pytest that notes the outcome of each phase of each test, with parameters as one."""

    def __init__(self) -> None:
        self._found: defaultdict[str, set[str]] = defaultdict(set)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._found[report.nodeid.partition("[")[0]].add(report.outcome)

    def passed(self) -> set[str]:
        """Return the tests that passed with all of their parameters; one that was skipped in part did not."""
        return {test for test, found in self._found.items() if found == {"passed"}}


def recorded(passed: set[str], run: Run, path: Path = RECORD) -> dict[str, Run]:
    """Write the record again: this run for what passed, the last one of each other, none of what is no longer named."""
    known = msgspec.json.decode(path.read_bytes(), type=dict[str, Run]) if path.exists() else {}
    tests = claims.tests()
    made = {test: run if test in passed else known[test] for test in tests if test in passed or test in known}
    path.write_bytes(msgspec.json.format(msgspec.json.encode(made), indent=1) + b"\n")
    return made


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, check=True, text=True).stdout.strip()


def main() -> int:
    own = RECORD.relative_to(ROOT).as_posix()
    if _git("status", "--porcelain", "--", ".", f":!{own}"):
        print("security-claims: commit first; a record names the commit that was tested", file=sys.stderr)  # noqa: T201 (a command)
        return 2
    outcomes = Outcomes()
    status = pytest.main(["-q", *sys.argv[1:], *named.in_order(claims.tests())], plugins=[outcomes])
    run = Run(_git("rev-parse", "HEAD"), datetime.now(UTC).replace(microsecond=0))
    made = recorded(outcomes.passed(), run)
    fresh = sum(one == run for one in made.values())
    print(f"{fresh} of {len(claims.tests())} tests passed at {run.commit[:12]}, and are recorded")  # noqa: T201 (a command)
    return int(status)


if __name__ == "__main__":
    sys.exit(main())
