"""A copy of the checkout with one thing broken, and the tests run in it."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from schema.vocabulary import Mode
from tests.support.service import ROOT, environment

_COPIED = ("schema", "ingest", "tests", "docs", "pyproject.toml")
# Bytecode is copied too; that of an edited file is older than the file, and so ignored.
_UNSEEN = shutil.ignore_patterns("trace", "*.pyc.*")
_PLUGINS = ("-p", "asyncio", "-p", "timeout")  # And no other is loaded.
_DECIDE = """
import sys
from schema.decode import Refused, decode
from schema.vocabulary import Mode
from tests.support.gauge import VOCABULARIES, window
try:
    decode(sys.stdin.buffer.read(), VOCABULARIES[Mode[sys.argv[1]]], window())
except Refused:
    sys.exit("refused")
"""


class Edit(NamedTuple):
    """A piece of source that occurs once in a file, and its replacement."""

    file: str
    old: str
    new: str


def copy_broken(folder: Path, *edits: Edit) -> Path:
    """Copy the checkout into a folder and break it."""
    for name in _COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=_UNSEEN)
        else:
            shutil.copy(source, folder / name)
    for edit in edits:
        path = folder / edit.file
        text = path.read_text("utf-8")
        assert text.count(edit.old) == 1, f"{edit.file} has not just one: {edit.old}"
        path.write_text(text.replace(edit.old, edit.new), "utf-8")
    return folder


def accepts(checkout: Path, body: bytes, mode: Mode) -> bool:
    """Return whether the gates of a checkout accept a body for a tenant in a mode."""
    ended = _python(checkout, "-c", _DECIDE, mode.name, stdin=body)
    assert ended.returncode == 0 or ended.stderr.strip() == b"refused", ended.stderr.decode()
    return ended.returncode == 0


def failed(checkout: Path, *tests: str) -> bool:
    """Run tests in a checkout, and return whether one failed; assert that they could be run."""
    ended = _python(checkout, "-m", "pytest", "-qx", "-p", "no:cacheprovider", *_PLUGINS, "--timeout=60", *tests)
    assert ended.returncode in {0, 1}, ended.stdout.decode()
    return ended.returncode == 1


def _python(checkout: Path, *arguments: str, stdin: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    env = environment("") | {"PYTHONPATH": str(checkout), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    del env["NOCONTENT_DSN"]
    return subprocess.run(
        [sys.executable, *arguments], cwd=checkout, env=env, input=stdin, capture_output=True, timeout=100, check=False
    )
