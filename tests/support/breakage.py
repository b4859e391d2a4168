"""A copy of the checkout with one thing broken, and the tests run in it."""

import json
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
# Judges in forks of one process that has imported what is not ours, because most of a process's time goes into that. A
# case of a test is called as pytest would: a start of pytest with all tests of the file takes longer than all else.
_JUDGE = """
import importlib, json, os, sys, traceback
import asyncpg, prometheus_client, pytest, starlette.responses, trustme

def judge(checkout, body, mode, module, name, case):
    os.chdir(checkout)
    sys.path.insert(0, checkout)
    from schema.decode import Refused, decode
    from schema.vocabulary import Mode
    from tests.support.gauge import VOCABULARIES, window
    test = getattr(importlib.import_module(module), name)
    (cases,) = [mark.args[1] for mark in test.pytestmark if mark.name == "parametrize"]
    assert case in cases, case
    try:
        decode(bytes.fromhex(body), VOCABULARIES[Mode[mode]], window())
    except Refused:
        gates = "refused"
    else:
        gates = "accepted"
    try:
        test(case)
    except (AssertionError, pytest.fail.Exception):
        return gates, "failed"
    return gates, "passed"

for given in json.load(sys.stdin):
    if forked := os.fork():
        assert os.waitpid(forked, 0)[1] == 0, given["checkout"]
        continue
    try:
        print(*judge(**given), flush=True)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)
"""


class Edit(NamedTuple):
    """A piece of source that occurs once in a file, and its replacement."""

    file: str
    old: str
    new: str


class Trial(NamedTuple):
    """A checkout, a body for its gates, and a case of a function with one parameter, by its id in pytest."""

    checkout: Path
    body: bytes
    mode: Mode
    test: str

    def arguments(self) -> dict[str, str]:
        file, _, called = self.test.partition("::")
        name, _, case = called.removesuffix("]").partition("[")
        module = file.removesuffix(".py").replace("/", ".")
        own = {"checkout": str(self.checkout), "body": self.body.hex(), "mode": self.mode.name}
        return own | {"module": module, "name": name, "case": case}


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


def judge(*trials: Trial) -> list[tuple[str, str]]:
    """Return of each whether its gates have `accepted` or `refused` the body, and its test has `passed` or `failed`."""
    given = json.dumps([trial.arguments() for trial in trials]).encode()
    # In no checkout: each fork enters its own.
    ended = _python(Path("/"), "-P", "-c", _JUDGE, stdin=given)
    assert ended.returncode == 0, ended.stderr.decode()
    found = [line.split() for line in ended.stdout.decode().splitlines()]
    assert len(found) == len(trials)
    return [(gates, outcome) for gates, outcome in found]


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
