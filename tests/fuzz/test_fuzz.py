"""The fuzzer itself, in small: it continues after a closed connection, and checks each response."""

import subprocess
import sys
from pathlib import Path

from tests.support.service import ROOT, environment

_COMMAND = (sys.executable, "-m", "tests.fuzz", "--seed", "1")


def test_thousands_of_made_bodies_are_answered_as_the_plain_reading_says(tmp_path: Path) -> None:
    asked = [*_COMMAND, "--bodies", "3000", "--keep", str(tmp_path / "kept")]
    ended = subprocess.run(asked, cwd=ROOT, env=environment(""), capture_output=True, timeout=100, check=False)
    assert ended.stderr == b""
    assert ended.stdout.decode().splitlines()[-1] == "3,000 bodies, 0 finds, 0 answers of 500 and more"
    assert not (tmp_path / "kept").exists()
