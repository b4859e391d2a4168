"""Proxies in processes of their own, so that a test can fork, end and kill them."""

import subprocess
import sys
import textwrap
from pathlib import Path

from tests.support.service import ROOT

SOURCE = ROOT / "reporter" / "src"
_PRELUDE = """
import os, sys, time
from pathlib import Path
from nocontent_reporter import Event, Options, Reporter

def event(**changed):
    return Event(**({"provider": "anthropic", "requested_model": "claude-opus-4-5", "routed_model": "claude-haiku-4-5",
                     "input_tokens": 1, "output_tokens": 1, "latency_ms": 1} | changed))

def say(*words):
    print(*words, flush=True)
"""


def python(code: str, *arguments: object) -> "subprocess.Popen[str]":
    """Start a program that has `event`, `say`, Reporter and Options, and its arguments in sys.argv."""
    whole = _PRELUDE + textwrap.dedent(code)
    return subprocess.Popen(
        [sys.executable, "-c", whole, *map(str, arguments)],
        env={"PYTHONPATH": str(SOURCE), "PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        text=True,
    )


def run_python(code: str, *arguments: object) -> str:
    """Run such a program to its end and return what it printed."""
    with python(code, *arguments) as process:
        printed, _ = process.communicate(timeout=30)
    assert process.returncode == 0, printed
    return printed


def mode(path: Path) -> int:
    """Return the permissions of a file."""
    return path.stat().st_mode & 0o777
