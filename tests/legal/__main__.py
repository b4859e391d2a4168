"""Runs the tests that the page /security names, and records each that passed: `make security-claims`.

A record is of a commit, so that it can be repeated: the checkout has to be as committed, but for the record itself.
"""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from ingest.legal import claims
from ingest.legal.claims import Run
from tests.support import named
from tests.support.service import ROOT

RECORD = ROOT / "ingest/legal" / claims.RUNS
# Its last test reads what the browser did for all the others.
WHOLE = "tests/browser/test_console.py"


def recorded(passed: set[str], run: Run, path: Path = RECORD) -> dict[str, Run]:
    """Write the record again: this run for what passed, the last one of each other, none of what is no longer named."""
    known = msgspec.json.decode(path.read_bytes(), type=dict[str, Run]) if path.exists() else {}
    tests = claims.tests()
    made = {test: run if test in passed else known[test] for test in tests if test in passed or test in known}
    path.write_bytes(msgspec.json.format(msgspec.json.encode(made), indent=1) + b"\n")
    return made


def _targets() -> list[str]:
    """Return the tests to run, and a file in place of those that need all of it."""
    return list(dict.fromkeys(WHOLE if test.startswith(WHOLE) else test for test in named.in_order(claims.tests())))


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, check=True, text=True).stdout.strip()


def main() -> int:
    own = RECORD.relative_to(ROOT).as_posix()
    if _git("status", "--porcelain", "--", ".", f":!{own}"):
        print("security-claims: commit first; a record names the commit that was tested", file=sys.stderr)  # noqa: T201 (a command)
        return 2
    with TemporaryDirectory() as folder:
        passed = Path(folder) / "passed.json"
        plugin = ["-p", "tests.legal.outcomes", "--passed-to", str(passed)]
        command = [sys.executable, "-m", "pytest", "-q", *plugin, *sys.argv[1:], *_targets()]
        status = subprocess.run(command, cwd=ROOT, check=False).returncode
        green = set(msgspec.json.decode(passed.read_bytes(), type=list[str])) if passed.exists() else set()
    run = Run(_git("rev-parse", "HEAD"), datetime.now(UTC).replace(microsecond=0))
    made = recorded(green, run)
    fresh = sum(one == run for one in made.values())
    print(f"{fresh} of {len(claims.tests())} tests passed at {run.commit[:12]}, and are recorded")  # noqa: T201 (a command)
    return status


if __name__ == "__main__":
    sys.exit(main())
