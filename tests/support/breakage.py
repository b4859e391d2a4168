"""A copy of the checkout with one thing broken, and the tests run in it."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from schema.vocabulary import Mode
from tests.support import links
from tests.support.service import ROOT, environment

_COPIED = ("schema", "ingest", "tests", "docs", "pyproject.toml")
# Bytecode is copied too; that of an edited file is older than the file, and so ignored.
_UNSEEN = shutil.ignore_patterns("trace", "*.pyc.*")
_PLUGINS = ("-p", "asyncio", "-p", "timeout")  # And no other is loaded.
# A case of a test is called as pytest would: a start of pytest with all tests of the file takes longer than all else.
_JUDGE = """
import importlib, sys
import pytest
from schema.decode import Refused, decode
from schema.vocabulary import Mode
from tests.support.gauge import VOCABULARIES, window
mode, module, name, case = sys.argv[1:]
test = getattr(importlib.import_module(module), name)
(cases,) = [mark.args[1] for mark in test.pytestmark if mark.name == "parametrize"]
assert case in cases, case
try:
    decode(sys.stdin.buffer.read(), VOCABULARIES[Mode[mode]], window())
except Refused:
    print("refused")
else:
    print("accepted")
try:
    test(case)
except (AssertionError, pytest.fail.Exception):
    print("failed")
else:
    print("passed")
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
            links.copy(source, folder / name, _UNSEEN)
        else:
            shutil.copy(source, folder / name)
    for edit in edits:
        path = folder / edit.file
        text = path.read_text("utf-8")
        assert text.count(edit.old) == 1, f"{edit.file} has not just one: {edit.old}"
        path.unlink()  # It may be a link to the original.
        path.write_text(text.replace(edit.old, edit.new), "utf-8")
    return folder


def judge(checkout: Path, body: bytes, mode: Mode, test: str) -> tuple[str, str]:
    """Return whether the gates of a checkout have `accepted` or `refused` a body, and a test has `passed` or `failed`.

    The test is one case of a function with one parameter, by its id in pytest.
    """
    file, _, called = test.partition("::")
    name, _, case = called.removesuffix("]").partition("[")
    module = file.removesuffix(".py").replace("/", ".")
    ended = _python(checkout, "-c", _JUDGE, mode.name, module, name, case, stdin=body)
    assert ended.returncode == 0, ended.stderr.decode()
    gates, outcome = ended.stdout.decode().split()
    return gates, outcome


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
